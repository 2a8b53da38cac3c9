import ApusBroker
import ApusProtocol
import Testing

@testable import ApusServer

/// Who goes when memory is short, and what is refused when there is none.
@Suite struct LaggardTests {
    private let owner: EmbeddedLoop
    private let publisher: EmbeddedConnection

    init() throws {
        owner = try EmbeddedLoop.withTopic(history: 1) {
            $0.timeouts.heartbeat = .zero
            $0.delivery.queue = 100_000
        }
        publisher = try EmbeddedConnection.pubSub(on: owner)
    }

    private func subscriber(isStalled: Bool) throws -> EmbeddedConnection {
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe())
        _ = try peer.frames()
        if isStalled { peer.setWritable(false) }
        return peer
    }

    private func publish(_ numbers: ClosedRange<Int>) throws {
        for number in numbers { try publisher.send(.publish(number)) }
        #expect(try publisher.texts().allSatisfy { $0.contains("ack") })
    }

    @Test func `the one behind most comes first, and who keeps up does not come at all`() throws {
        let late = try subscriber(isStalled: true)
        try publish(1...500)
        let later = try subscriber(isStalled: true)
        let healthy = try subscriber(isStalled: false)
        var seen = 0
        for number in 501...1000 {
            try publish(number...number)
            seen += try healthy.texts().count
        }
        #expect(seen == 500)
        let laggards = owner.context.laggards(limit: 10)
        #expect(laggards.map(\.connection) == [late.connection.id, later.connection.id])
        #expect(laggards[0].bytes > laggards[1].bytes)
        #expect(owner.context.laggards(limit: 1).map(\.connection) == [late.connection.id])
    }

    @Test func `what the history keeps anyway does not make a laggard`() throws {
        _ = try owner.broker.putTopic(named: "t") { $0.history = 10_000 }
        let peer = try subscriber(isStalled: false)
        try publish(1...10)
        #expect(owner.context.laggards(limit: 10).isEmpty)
        #expect(try peer.texts().count == 10)
    }

    @Test func `one that is cut is told OVERLOADED, its messages go, and the others stay`() throws {
        let slow = try subscriber(isStalled: true)
        let healthy = try subscriber(isStalled: false)
        try publish(1...1000)
        let topic = try #require(owner.broker.topic(named: "t"))
        let before = topic.logBytes
        owner.context.cutForMemory([slow.connection.id])
        slow.setWritable(true)
        #expect(try slow.frames().last?.close == "1013 OVERLOADED")
        #expect(owner.context.counters.closed["OVERLOADED"] == 1)
        #expect(try healthy.texts().count == 1000)
        try publish(1001...1001)
        #expect(topic.logBytes < before / 2)
        #expect(healthy.connection.phase == .open && publisher.connection.phase == .open)
    }

    @Test func `while memory is full, publishes and subscriptions are refused and all else works`() throws {
        let peer = try subscriber(isStalled: false)
        owner.context.setFull(true)
        try publisher.send(.publish(1), .publish(2), .publish(batch: [3, 4]), .subscribe("t", as: "new"))
        let answers = try publisher.texts()
        #expect(answers.count == 4 && answers.allSatisfy { $0.contains(ErrorCode.unavailable.rawValue) })
        try peer.send(.text(#"{"type":"ping"}"#), .unsubscribe())
        #expect(try peer.texts().map { $0.contains("error") } == [false, false])
        owner.context.setFull(false)
        try publish(5...6)
    }

    @Test func `a connection that comes while memory is full is closed as OVERLOADED`() throws {
        owner.context.setFull(true)
        let peer = try EmbeddedConnection.pubSub(on: owner)
        peer.run()
        #expect(try peer.frames().last?.close == "1013 OVERLOADED")
    }

    @Test func `outboxes and unfinished messages are what connections hold`() throws {
        let peer = try subscriber(isStalled: true)
        let outboxes = owner.context.memoryShare.outboxes
        #expect(outboxes > 1 << 20)
        try publisher.send(bytes: [UInt8]([0x01, 0xFE, 0x01, 0x00, 0, 0, 0, 0]) + [UInt8](repeating: 65, count: 256))
        #expect(owner.context.memoryShare.inputs >= 256)
        peer.hangUp()
        publisher.hangUp()
        #expect(owner.context.memoryShare.inputs == 0)
    }
}
