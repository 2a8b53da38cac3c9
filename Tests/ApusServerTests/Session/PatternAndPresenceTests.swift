import ApusBroker
import ApusProtocol
import NIOCore
import Testing

@testable import ApusServer

/// Patterns and presence on an embedded connection (extensions.md section 4), and what the server says at its end.
@Suite struct PatternAndPresenceTests {
    private let owner: EmbeddedLoop
    private let peer: EmbeddedConnection
    private let other: EmbeddedConnection

    init() throws {
        owner = try EmbeddedLoop.withTopic()
        peer = try EmbeddedConnection.pubSub(on: owner)
        other = try EmbeddedConnection.pubSub(on: owner)
    }

    // MARK: Patterns

    @Test func `a pattern gets the topics there are and those made later, by their own names`() throws {
        try owner.broker.createTopic(named: "orders.new")
        try peer.send(.subscribe("orders.*"))
        try other.send(.publish(1, to: "orders.new"), .publish(2, to: "t"))
        try owner.broker.createTopic(named: "orders.old")
        try owner.broker.createTopic(named: "orders.old.er")
        try other.send(.publish(3, to: "orders.old", #","key":"k""#), .publish(4, to: "orders.old.er"))
        peer.run()
        #expect(
            try peer.lines() == [
                #"{"type":"ack","topic":"orders.*","status":"ok""#,
                #"{"type":"event","topic":"orders.new","message":\#(ClientFrame.message(1))"#,
                #"{"type":"event","topic":"orders.old","message":\#(ClientFrame.message(3)),"key":"k""#,
            ]
        )
        try peer.send(.unsubscribe("orders.*"))
        try other.send(.publish(5, to: "orders.new"))
        #expect(try peer.lines() == [#"{"type":"ack","topic":"orders.*","status":"ok""#])
    }

    @Test func `last_n goes for each topic of a pattern`() throws {
        for name in ["a.1", "a.2"] {
            try owner.broker.createTopic(named: name)
            for number in 1...3 { try other.send(.publish(number, to: name)) }
        }
        try peer.send(.subscribe("a.>", as: "c", #","last_n":2"#))
        #expect(try peer.summary().sorted() == ["ack", "event 2", "event 2", "event 3", "event 3"])
    }

    @Test func `a pattern and a topic that it matches are two subscriptions`() throws {
        try peer.send(.subscribe("*"), .subscribe("t"), .subscribe(">"))
        #expect(owner.broker.topic(named: "t")?.subscriberCount == 3)
        try other.send(.publish(1))
        #expect(try peer.summary() == ["ack", "ack", "ack", "event 1", "event 1", "event 1"])
        try peer.send(.unsubscribe("t"), .unsubscribe(">"))
        try other.send(.publish(2))
        #expect(try peer.summary() == ["ack", "ack", "event 2"])
    }

    @Test(arguments: ["a*", "*a", "a.*b", "a.>.b", ">.a", "**", "a.>b", "a>"])
    func `a pattern that is none is refused by the name of its field`(pattern: String) throws {
        for frame in [ClientFrame.subscribe(pattern), .unsubscribe(pattern)] {
            try peer.send(frame)
            let line = try #require(try peer.lines().first)
            #expect(line.hasPrefix(#"{"type":"error","error":{"code":"BAD_REQUEST","message":"'topic' "#))
        }
        try peer.send(.publish(1, to: pattern))
        #expect(try peer.summary() == ["error BAD_REQUEST"])
    }

    @Test(arguments: [
        ("positions", "true"), ("since", "\"all\""), ("since", #"{"epoch":"e","offset":1}"#), ("since", "\"10m\""),
    ])
    func `a pattern has no positions`(field: String, value: String) throws {
        try peer.send(.subscribe("a.*", as: "c", #","\#(field)":\#(value)"#))
        #expect(
            try peer.lines()
                == [
                    #"{"type":"error","error":{"code":"BAD_REQUEST","message":"'\#(field)' needs a topic, not a pattern"}"#
                ]
        )
        try peer.send(.subscribe("a.*", as: "c", #","positions":false,"echo":false,"queue":5"#))
        #expect(try peer.summary() == ["ack"])
    }

    @Test func `who matches more than is allowed is let go`() throws {
        let owner = try EmbeddedLoop.withTopic {
            ($0.limits.maxSubscriptions, $0.limits.maxMatches) = (10, 2)
        }
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe("*"))
        try owner.broker.createTopic(named: "u")
        peer.run()
        #expect(try peer.summary() == ["ack"])
        try peer.send(.subscribe("u", as: "c"), .subscribe(">", as: "d"))
        #expect(try peer.summary() == ["ack", "error BAD_REQUEST"])
        try owner.broker.createTopic(named: "v")
        peer.run()
        #expect(try peer.summary() == ["1013 OVERLOADED"])
    }

    // MARK: Presence

    private func presence(_ message: String, _ clientID: String) -> String {
        #"{"type":"info","topic":"t","msg":"\#(message)","client_id":"\#(clientID)""#
    }

    @Test func `others' coming and going is told, from the time of subscribing on`() throws {
        try other.send(.subscribe("t", as: "early"))
        try peer.send(.subscribe("t", as: "watcher", #","presence":true"#))
        peer.run()
        #expect(try peer.summary() == ["ack"])
        try other.send(.subscribe("t", as: "x\\n"), .unsubscribe("t", as: "early"))
        other.hangUp()
        peer.run()
        #expect(try peer.lines() == [presence("joined", "x\\n"), presence("left", "early"), presence("left", "x\\n")])
        // Of another subscription of the same connection as well; subscribing again is no news.
        try peer.send(.subscribe("t", as: "second"), .subscribe("t", as: "second"))
        #expect(try peer.lines().filter { $0.contains("info") } == [presence("joined", "second")])
        try peer.send(.unsubscribe("t", as: "second"), .unsubscribe("t", as: "second"))
        #expect(try peer.lines().filter { $0.contains("info") } == [presence("left", "second")])
    }

    @Test func `who has not asked is not told`() throws {
        try peer.send(.subscribe("t", as: "plain"), .subscribe("t", as: "extended", #","presence":false"#))
        try other.send(.subscribe("t", as: "x", #","presence":true"#), .unsubscribe("t", as: "x"))
        peer.run()
        #expect(try peer.summary() == ["ack", "ack"])
        #expect(try other.summary() == ["ack", "ack"])
    }

    @Test func `a topic's end is nobody's leaving`() throws {
        try peer.send(.subscribe("t", as: "a", #","presence":true"#))
        try other.send(.subscribe("t", as: "b", #","presence":true"#))
        peer.run()
        _ = try peer.frames()
        try owner.broker.deleteTopic(named: "t")
        peer.run()
        #expect(try peer.summary() == ["info topic_deleted"])
        #expect(try other.summary() == ["ack", "info topic_deleted"])
    }

    // MARK: Shutdown

    @Test func `who used an extension is told when to come back`() throws {
        let plain = try EmbeddedConnection.pubSub(on: owner)
        let publisher = try EmbeddedConnection.pubSub(on: owner)
        let pattern = try EmbeddedConnection.pubSub(on: owner)
        // Fields of another command make nobody extended.
        try plain.send(.subscribe(), .publish(1, #","queue":5,"echo":"x""#))
        try publisher.send(.publish(2, #","outcome":true"#))
        try peer.send(.subscribe("t", as: "c", #","echo":true"#))
        try pattern.send(.subscribe("none.*"))
        for connection in [plain, publisher, peer, pattern, other] { _ = try connection.frames() }
        owner.context.refuseCommands()
        owner.context.drain()
        peer.run()
        for connection in [publisher, peer, pattern] {
            let lines = try connection.lines()
            #expect(lines.count == 2 && lines.last == "1001 SHUTDOWN")
            let text = try #require(lines.first)
            let start = #"{"type":"info","msg":"shutdown","reconnect_after_ms":"#
            #expect(text.hasPrefix(start))
            let delay = try #require(Int(text.dropFirst(start.count)))
            #expect((0...1000).contains(delay))
        }
        for connection in [plain, other] { #expect(try connection.summary() == ["1001 SHUTDOWN"]) }
    }

    @Test func `other ends of a connection are no shutdown`() throws {
        try peer.send(.subscribe("t", as: "c", #","echo":true"#), ClientFrame(opcode: 3))
        #expect(try peer.summary() == ["ack", "1002 PROTOCOL_ERROR"])
    }
}
