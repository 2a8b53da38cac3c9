import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

@testable import ApusServer

/// Publishes that are read together go into the log together, and nobody can tell.
@Suite struct StagedPublishTests {
    /// What became of the same commands.
    private struct Outcome: Equatable {
        var replies: [String] = []
        var logs: [[String]] = []
        var isOpen = true
        var publishes: UInt64 = 0
    }

    /// Sends `pieces` one after the other. Topic `t` holds at most `queue` messages for a subscriber that does not read
    /// before all is sent, and `u` knows ids.
    private func outcome(of pieces: [[ClientFrame]], queue: Int = 1000) throws -> Outcome {
        let owner = try EmbeddedLoop.withTopic(history: 1000) {
            ($0.delivery.queue, $0.delivery.overflow) = (queue, .throttle)
        }
        _ = try owner.broker.putTopic(named: "u") { topic in
            topic.history = 1000
            topic.dedupeWindow = 60_000
        }
        let reader = try EmbeddedConnection.pubSub(on: owner)
        try reader.send(.subscribe())
        reader.setWritable(false)
        let publisher = try EmbeddedConnection.pubSub(on: owner)
        for piece in pieces { try publisher.send(bytes: piece.flatMap(\.bytes)) }
        var outcome = Outcome(replies: try publisher.lines())
        // A batch of two may be the last that is taken.
        #expect(owner.broker.topic(named: "t")?.publishedCount ?? 0 <= UInt64(queue) + 1)
        reader.setWritable(true)
        _ = try reader.frames()
        outcome.replies += try publisher.lines()
        outcome.isOpen = publisher.isOpen
        outcome.publishes = owner.context.counters.count(of: .publish)
        outcome.logs = try ["t", "u"].map { topic in
            let late = try EmbeddedConnection.pubSub(on: owner)
            try late.send(.subscribe(topic, as: "late", #","last_n":1000"#))
            return try late.lines()
        }
        #expect(owner.context.staged.isEmpty)
        return outcome
    }

    private func frame(_ number: Int, _ generator: inout SeededGenerator) -> ClientFrame {
        let requestID = #","request_id":\#(number)"#
        let id = ClientFrame.numberedID(Int.random(in: 1...9, using: &generator))
        switch Int.random(in: 1...40, using: &generator) {
        case 1: return .publish(number, to: "u", requestID)
        case 2...4: return .publish(number, to: "u", id: id, requestID)
        case 5: return .publish(number, to: "missing", requestID)
        case 6: return .publish(number, to: #"\u0074"#, requestID)
        case 7: return .publish(number, to: "t", requestID + #","key":"k","outcome":true"#)
        case 8: return .publish(batch: [number, number + 1], to: "t", requestID)
        case 9: return .text(#"{"type":"ping"\#(requestID)}"#)
        case 10: return .ping("\(number)")
        case 11: return .text("no JSON")
        case 12: return .text("")
        case 13:
            var binary = ClientFrame.publish(number, requestID)
            binary.opcode = Opcode.binary.rawValue
            return binary
        case 14: return .pong("\(number)")
        default:
            var publish = ClientFrame.publish(number, requestID)
            publish.mask = (0..<4).map { _ in UInt8.random(in: 0...255, using: &generator) }
            return publish
        }
    }

    @Test(arguments: [1, 3, 30, 1000], 1...3 as ClosedRange<UInt64>)
    func `replies and logs are the same, however the commands arrive`(queue: Int, seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var frames = (1...120).map { frame($0, &generator) }
        let place = Int.random(in: 0...120, using: &generator)
        let fragments = [
            ClientFrame.text(#"{"type":"#, isFinal: false), .continuation(#""ping"}"#, isFinal: true),
        ]
        frames.insert(contentsOf: fragments, at: place)
        let single = try outcome(of: frames.map { [$0] }, queue: queue)
        #expect(try outcome(of: [frames], queue: queue) == single)
        let cuts = frames.indices.filter { _ in Bool.random(using: &generator) }
        let pieces = zip([0] + cuts, cuts + [frames.count]).map { Array(frames[$0..<$1]) }
        #expect(try outcome(of: pieces, queue: queue) == single)
    }

    @Test func `what breaks the protocol is told after the acks of what came before it`() throws {
        let unmasked = ClientFrame(opcode: Opcode.text.rawValue, payload: Array("{}".utf8), mask: nil)
        let noText = ClientFrame(opcode: Opcode.text.rawValue, payload: [0xFF])
        for end in [unmasked, noText, .continuation("", isFinal: true), .close(1000)] {
            let frames = (1...20).map { ClientFrame.publish($0) } + [end, .publish(21)]
            for queue in [5, 1000] {
                let single = try outcome(of: frames.map { [$0] }, queue: queue)
                #expect(single.publishes == 20 && single.replies.count == 21)
                #expect(single.replies.prefix(20).allSatisfy { $0.contains(#""type":"ack""#) })
                #expect(try outcome(of: [frames], queue: queue) == single)
            }
        }
    }

    @Test func `publishes that are read together go to the topic that has the name now`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let peer = try EmbeddedConnection.pubSub(on: owner)
        let burst = (1...20).flatMap { ClientFrame.publish($0).bytes }
        for _ in 1...3 { try peer.send(bytes: burst) }
        #expect(try peer.summary() == Array(repeating: "ack", count: 60))
        try owner.broker.deleteTopic(named: "t")
        try peer.send(bytes: burst)
        #expect(try peer.summary() == Array(repeating: "error TOPIC_NOT_FOUND", count: 20))
        try owner.broker.createTopic(named: "t")
        for _ in 1...2 { try peer.send(bytes: burst) }
        try owner.broker.deleteTopic(named: "t")
        try owner.broker.createTopic(named: "t")
        try peer.send(bytes: burst)
        #expect(try peer.summary() == Array(repeating: "ack", count: 60))
        #expect(owner.broker.topic(named: "t")?.publishedCount == 20)
    }

    @Test func `a read commits at the latest after so many publishes, and by itself`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let peer = try EmbeddedConnection.pubSub(on: owner)
        let count = 5 * StagedPublishes.limit + 7
        var bytes = (1...count).flatMap { ClientFrame.publish($0, #","request_id":\#($0)"#).bytes }
        // The start of a frame whose rest is still to come does not keep the others waiting.
        bytes += ClientFrame.publish(0).bytes.dropLast(9)
        try peer.send(bytes: bytes)
        let replies = try peer.texts()
        #expect(replies.count == count)
        for (number, reply) in zip(1..., replies) { #expect(reply.contains(#""request_id":\#(number),"#)) }
        #expect(owner.broker.topic(named: "t")?.publishedCount == UInt64(count))
    }
}
