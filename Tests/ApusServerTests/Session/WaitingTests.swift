import ApusBroker
import ApusProtocol
import Testing

@testable import ApusServer

/// Topics that are not there yet, on an embedded connection (extensions.md section 11).
@Suite struct WaitingTests {
    private static let wait = #","wait":true"#

    private func owner(_ change: (inout ServerConfiguration) -> Void = { _ in }) throws -> EmbeddedLoop {
        var settings = ServerConfiguration()
        change(&settings)
        return try EmbeddedLoop(settings: settings)
    }

    /// With `E` for the epochs of all topics named `t` there ever were.
    private func lines(_ peer: EmbeddedConnection) throws -> [String] {
        peer.run()
        return try peer.lines().map { $0.replacing(/"epoch":"[^"]*"/, with: #""epoch":"E""#) }
    }

    // MARK: wait

    @Test func `the ack says that there is no topic yet, and the topic's coming is told with its epoch`() throws {
        let owner = try owner()
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe("t", as: "c", #","positions":true,"wait":true,"request_id":7"#))
        #expect(try lines(peer) == [#"{"type":"ack","request_id":7,"topic":"t","status":"ok","waiting":true"#])
        let topic = try owner.broker.createTopic(named: "t")
        try EmbeddedConnection.pubSub(on: owner).send(.publish(1))
        peer.run()
        let created = #"{"type":"info","topic":"t","msg":"topic_created","epoch":"\#(topic.epoch)""#
        #expect(
            try peer.lines() == [
                created.replacing("\"\(topic.epoch)\"", with: "\"E\""),
                #"{"type":"event","topic":"t","message":\#(ClientFrame.message(1)),"offset":1"#,
            ]
        )
        try owner.broker.deleteTopic(named: "t")
        try owner.broker.createTopic(named: "t")
        #expect(
            try lines(peer) == [
                #"{"type":"info","topic":"t","msg":"topic_deleted""#,
                #"{"type":"info","topic":"t","msg":"topic_created","epoch":"E""#,
            ]
        )
    }

    @Test func `what the position of an old epoch asked for is told to be gone`() throws {
        let owner = try owner()
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe("t", as: "c", #","since":{"epoch":"old","offset":5},"wait":true"#))
        #expect(try lines(peer) == [#"{"type":"ack","topic":"t","status":"ok","waiting":true"#])
        try owner.broker.createTopic(named: "t")
        #expect(
            try lines(peer) == [
                #"{"type":"info","topic":"t","msg":"topic_created","epoch":"E""#,
                #"{"type":"info","topic":"t","msg":"not_recovered","epoch":"E","offset":0,"recovered":false"#,
            ]
        )
    }

    @Test func `where the topic is there the ack is as ever`() throws {
        let owner = try owner()
        try owner.broker.createTopic(named: "t")
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe("t", as: "a", Self.wait), .subscribe("t", as: "b", #","wait":true,"positions":true"#))
        #expect(
            try lines(peer) == [
                #"{"type":"ack","topic":"t","status":"ok""#,
                #"{"type":"ack","topic":"t","status":"ok","epoch":"E","offset":0"#,
            ]
        )
    }

    @Test(arguments: [(true, "'wait' needs a topic, not a pattern"), (false, nil)])
    func `a pattern does not wait`(waits: Bool, refusal: String?) throws {
        let peer = try EmbeddedConnection.pubSub(on: owner())
        try peer.send(.subscribe("a.*", as: "c", #","wait":\#(waits)"#))
        let error = refusal.map { #"{"type":"error","error":{"code":"BAD_REQUEST","message":"\#($0)"}"# }
        #expect(try lines(peer) == [error ?? #"{"type":"ack","topic":"a.*","status":"ok""#])
    }

    @Test func `without it a topic that is not there is unknown, and so is one to unsubscribe`() throws {
        let peer = try EmbeddedConnection.pubSub(on: owner())
        try peer.send(.subscribe("t", as: "c", #","wait":false"#), .subscribe(), .unsubscribe(), .publish(1))
        #expect(try peer.summary() == Array(repeating: "error TOPIC_NOT_FOUND", count: 4))
        try peer.send(
            .subscribe("t", as: "c", Self.wait),
            .unsubscribe("t", as: "other"),
            .unsubscribe(),
            .unsubscribe()
        )
        #expect(try peer.summary() == ["ack", "error TOPIC_NOT_FOUND", "ack", "error TOPIC_NOT_FOUND"])
    }

    @Test func `one that waits is not disconnected when its topic is deleted, one that does not is`() throws {
        let owner = try owner { $0.topics.onDelete = .disconnect }
        try owner.broker.createTopic(named: "t")
        let (waiting, plain) = try (EmbeddedConnection.pubSub(on: owner), EmbeddedConnection.pubSub(on: owner))
        try waiting.send(.subscribe("t", as: "c", Self.wait))
        try plain.send(.subscribe())
        try owner.broker.deleteTopic(named: "t")
        waiting.run()
        #expect(try waiting.summary() == ["ack", "info topic_deleted"])
        #expect(try plain.summary() == ["ack", "info topic_deleted", "1000 TOPIC_DELETED"])
    }

    // MARK: topics.create_on

    @Test func `a publish makes its topic where that is set, a subscribe does not`() throws {
        let owner = try owner { $0.topics.createOn = [.publish] }
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe(), .publish(1), .publish(2, to: "u", #","outcome":true,"key":"k""#), .subscribe())
        #expect(
            try lines(peer) == [
                #"{"type":"error","error":{"code":"TOPIC_NOT_FOUND","message":"Topic 't' not found"}"#,
                #"{"type":"ack","topic":"t","status":"ok""#,
                #"{"type":"ack","topic":"u","status":"ok","epoch":"E","offset":1,"subscribers":0,"stored":"memory","duplicate":false"#,
                #"{"type":"ack","topic":"t","status":"ok""#,
            ]
        )
        #expect(owner.broker.topic(named: "t")?.publishedCount == 1)
    }

    @Test func `a subscribe makes its topic where that is set, a publish does not`() throws {
        let owner = try owner { $0.topics.createOn = [.subscribe] }
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.publish(1), .unsubscribe(), .subscribe("x.*"), .subscribe("t", as: "c", Self.wait), .publish(2))
        peer.run()
        #expect(
            try peer.summary() == ["error TOPIC_NOT_FOUND", "error TOPIC_NOT_FOUND", "ack", "ack", "ack", "event 2"]
        )
        #expect(owner.broker.topics.map(\.name) == ["t"])
    }

    @Test func `who waits for a topic gets the publish that makes it`() throws {
        let owner = try owner { $0.topics.createOn = [.publish] }
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe("t", as: "c", Self.wait))
        try EmbeddedConnection.pubSub(on: owner).send(.publish(1))
        peer.run()
        #expect(try peer.summary() == ["ack", "info topic_created", "event 1"])
    }

    @Test func `a name that no topic can have makes none`() throws {
        let owner = try owner { $0.topics.createOn = [.publish, .subscribe] }
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.publish(1, to: "a.*"), .publish(1, to: "a\\u0001"), .subscribe("a\\u0001"))
        #expect(try peer.summary() == Array(repeating: "error BAD_REQUEST", count: 3))
        #expect(owner.broker.topics.isEmpty)
    }
}
