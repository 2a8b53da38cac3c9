import ApusBroker
import ApusProtocol
import Testing

@testable import ApusServer

/// The fields of `publish` beyond the contract on an embedded connection (extensions.md section 3).
@Suite struct ExtendedPublishTests {
    private static let ack = #"{"type":"ack","topic":"t","status":"ok""#

    private func outcome(_ offset: Int, subscribers: Int = 0, duplicate: Bool = false, _ more: String = "") -> String {
        #","epoch":"E","offset":\#(offset),"subscribers":\#(subscribers),"stored":"memory","duplicate":\#(duplicate)"#
            + more
    }

    @Test func `an outcome tells where the message went`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let peer = try EmbeddedConnection.pubSub(on: owner)
        let publisher = try EmbeddedConnection.pubSub(on: owner)
        try publisher.send(
            .publish(1, #","outcome":true,"request_id":5"#),
            .publish(2),
            .publish(3, #","outcome":false"#)
        )
        try peer.send(.subscribe(), .subscribe("t", as: "d"))
        try publisher.send(.publish(4, #","outcome":true"#))
        #expect(
            try publisher.lines() == [
                #"{"type":"ack","request_id":5,"topic":"t","status":"ok""# + outcome(1), Self.ack, Self.ack,
                Self.ack + outcome(4, subscribers: 2),
            ]
        )
    }

    @Test func `a batch is acked once, with its count, and delivered in its order`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let peer = try EmbeddedConnection.pubSub(on: owner)
        let publisher = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe("t", as: "c", #","positions":true"#))
        _ = try peer.frames()
        try publisher.send(
            .publish(batch: [1, 2, 3], #","request_id":"r""#),
            .publish(batch: [4, 5], #","outcome":true,"key":"k""#)
        )
        #expect(
            try publisher.lines() == [
                #"{"type":"ack","request_id":"r","topic":"t","status":"ok","count":3"#,
                Self.ack + #","count":2"# + outcome(4, subscribers: 1),
            ]
        )
        let events = (1...5).map { number in
            let message = ClientFrame.message(number, id: ClientFrame.numberedID(number))
            return #"{"type":"event","topic":"t","message":\#(message)"# + (number > 3 ? #","key":"k""# : "")
                + #","offset":\#(number)"#
        }
        #expect(try peer.lines() == events)
    }

    @Test func `a batch with one wrong message is not taken at all`() throws {
        let owner = try EmbeddedLoop.withTopic { $0.limits.maxBatch = 3 }
        let publisher = try EmbeddedConnection.pubSub(on: owner)
        let good = ClientFrame.message(1)
        for (messages, text) in [
            (#"[\#(good),{"id":"x","payload":1}]"#, "'messages[1].id' must be a UUID"),
            (#"[\#(good),\#(good),{"id":"\#(ClientFrame.messageID)"}]"#, "'messages[2].payload' is required"),
            ("[\(good),\(good),\(good),\(good)]", "'messages' must be at most 3 messages"),
            ("[]", "'messages' must not be empty"),
        ] {
            try publisher.send(.text(#"{"type":"publish","topic":"t","request_id":1,"messages":\#(messages)}"#))
            #expect(
                try publisher.lines()
                    == [#"{"type":"error","request_id":1,"error":{"code":"BAD_REQUEST","message":"\#(text)"}"#]
            )
        }
        #expect(owner.broker.topic(named: "t")?.publishedCount == 0)
        try publisher.send(.publish(batch: [1, 2, 3], to: "missing"), .publish(1, to: "missing", #","key":"k""#))
        #expect(try publisher.summary() == ["error TOPIC_NOT_FOUND", "error TOPIC_NOT_FOUND"])
    }

    @Test func `a repeat within the window is acked as one, and not delivered again`() throws {
        let owner = try EmbeddedLoop.withTopic(dedupeWindow: 60_000)
        let peer = try EmbeddedConnection.pubSub(on: owner)
        let publisher = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe())
        let outcomeField = #","outcome":true"#
        try publisher.send(
            .publish(1, id: ClientFrame.numberedID(1), outcomeField),
            .publish(2, id: ClientFrame.numberedID(2), outcomeField),
            .publish(1, id: ClientFrame.numberedID(1), outcomeField),
            // Without an outcome it looks like any other.
            .publish(1, id: ClientFrame.numberedID(1)),
            .publish(batch: [2, 3, 4], outcomeField),
            .publish(batch: [4, 1], outcomeField)
        )
        #expect(
            try publisher.lines() == [
                Self.ack + outcome(1, subscribers: 1), Self.ack + outcome(2, subscribers: 1),
                Self.ack + outcome(1, subscribers: 1, duplicate: true), Self.ack,
                Self.ack + #","count":3"# + outcome(3, subscribers: 1, #","duplicates":1"#),
                Self.ack + #","count":2"# + outcome(4, subscribers: 1, duplicate: true),
            ]
        )
        #expect(try peer.summary() == ["ack", "event 1", "event 2", "event 3", "event 4"])
    }

    @Test func `names with escapes reach the same topic`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let publisher = try EmbeddedConnection.pubSub(on: owner)
        let message = ClientFrame.message(1)
        try publisher.send(
            .text(#"{"type":"publish","topic":"\u0074","m\u0065ssages":[\#(message)],"outc\u006fme":true}"#)
        )
        #expect(try publisher.lines() == [Self.ack + #","count":1"# + outcome(1)])
    }

    @Test func `a batch that has to wait comes whole, and once`() throws {
        let owner = try EmbeddedLoop.withTopic {
            ($0.delivery.queue, $0.delivery.overflow) = (2, .throttle)
        }
        let peer = try EmbeddedConnection.pubSub(on: owner)
        let publisher = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe())
        peer.setWritable(false)
        try publisher.send(.publish(batch: [1, 2]), .publish(batch: [3, 4, 5], #","outcome":true"#), .publish(6))
        #expect(try publisher.lines() == [Self.ack + #","count":2"#])
        #expect(!publisher.isReading)
        peer.setWritable(true)
        #expect(
            try publisher.lines() == [Self.ack + #","count":3"# + outcome(3, subscribers: 1), Self.ack]
        )
        #expect(try peer.summary() == ["ack"] + (1...6).map { "event \($0)" })
    }

    @Test func `on v1 any id will do, in a batch as well`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let publisher = try EmbeddedConnection.pubSub(on: owner, dialect: .v1)
        try publisher.send(.text(#"{"type":"publish","topic":"t","messages":[{"id":"m-1","payload":null}]}"#))
        #expect(try publisher.texts().first?.hasPrefix(Self.ack + #","count":1,"timestamp":"#) == true)
    }
}
