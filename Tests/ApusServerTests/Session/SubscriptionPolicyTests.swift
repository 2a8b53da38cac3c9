import ApusBroker
import ApusProtocol
import Testing

@testable import ApusServer

/// Policies of single subscriptions on an embedded connection (extensions.md section 2).
@Suite struct SubscriptionPolicyTests {
    private let owner: EmbeddedLoop
    private let peer: EmbeddedConnection
    private let publisher: EmbeddedConnection

    init() throws {
        owner = try EmbeddedLoop.withTopic { $0.timeouts.heartbeat = .zero }
        peer = try EmbeddedConnection.pubSub(on: owner)
        publisher = try EmbeddedConnection.pubSub(on: owner)
    }

    /// Subscribes, fills the socket, and publishes numbers.
    private func lag(_ more: String, behind numbers: ClosedRange<Int>, _ publishing: String = "") throws {
        try peer.send(.subscribe("t", as: "c", more))
        _ = try peer.frames()
        peer.setWritable(false)
        for number in numbers { try publisher.send(.publish(number, publishing)) }
        _ = try publisher.frames()
    }

    @Test func `one's own publishes are left out where that is asked for`() throws {
        try peer.send(
            .subscribe("t", as: "quiet", #","echo":false,"positions":true"#),
            .subscribe("t", as: "loud")
        )
        _ = try peer.frames()
        try peer.send(.publish(1))
        try publisher.send(.publish(2))
        try peer.send(.publish(batch: [3, 4]))
        let events = try peer.lines().filter { $0.contains("event") }
        let quiet = events.filter { $0.contains("offset") }
        #expect(quiet.count == 1 && quiet[0].hasSuffix(#""payload":2},"offset":2"#))
        #expect(events.count == 5)
    }

    @Test func `another connection of the same client is another`() throws {
        let other = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe("t", as: "c", #","echo":false"#))
        try other.send(.subscribe("t", as: "c", #","echo":false"#), .publish(1))
        #expect(try peer.summary() == ["ack", "event 1"])
        #expect(try other.summary() == ["ack", "ack"])
    }

    @Test func `drop-oldest with positions tells which are gone`() throws {
        try lag(#","queue":2,"overflow":"drop-oldest","positions":true"#, behind: 1...7)
        peer.setWritable(true)
        let lines = try peer.lines()
        #expect(
            lines.first == #"{"type":"info","topic":"t","msg":"messages_dropped","dropped":5,"from":1,"to":5"#
        )
        #expect(lines.dropFirst().map { $0.suffix(11) } == [#","offset":6"#, #","offset":7"#])
    }

    @Test func `without positions it tells how many`() throws {
        try lag(#","queue":2"#, behind: 1...7)
        peer.setWritable(true)
        let lines = try peer.lines()
        #expect(lines.first == #"{"type":"info","topic":"t","msg":"messages_dropped","dropped":5"#)
        #expect(lines.count == 3)
    }

    @Test func `drop-newest keeps what came first`() throws {
        try lag(#","queue":3,"overflow":"drop-newest","positions":true"#, behind: 1...8)
        peer.setWritable(true)
        try publisher.send(.publish(9))
        let lines = try peer.lines()
        #expect(lines.prefix(3).map { $0.suffix(11) } == (1...3).map { #","offset":\#($0)"# })
        #expect(lines.contains(#"{"type":"info","topic":"t","msg":"messages_dropped","dropped":5,"from":4,"to":8"#))
        #expect(lines.last?.hasSuffix(#""payload":9},"offset":9"#) == true && lines.count == 5)
    }

    @Test func `latest keeps the newest of each key, and drops nothing`() throws {
        try peer.send(.subscribe("t", as: "c", #","overflow":"latest","queue":2,"positions":true"#))
        _ = try peer.frames()
        peer.setWritable(false)
        for (number, key) in [(1, "a"), (2, "b"), (3, "a"), (4, "a"), (5, "b"), (6, "a")] {
            try publisher.send(.publish(number, #","key":"\#(key)""#))
        }
        peer.setWritable(true)
        #expect(try peer.summary() == ["event 5", "event 6"])
    }

    @Test func `where subscribers may not make publishers wait, only a topic's own setting does`() throws {
        let owner = try EmbeddedLoop.withTopic { $0.delivery.subscriberThrottle = false }
        _ = try owner.broker.putTopic(named: "own") { $0.overflow = .throttle }
        let peer = try EmbeddedConnection.pubSub(on: owner)
        for topic in ["t", "own", "t.*"] {
            try peer.send(.subscribe(topic, as: "c", #","overflow":"throttle""#))
            #expect(try peer.summary() == ["error BAD_REQUEST"])
        }
        try peer.send(.subscribe("t", as: "c", #","overflow":"disconnect""#), .subscribe("own"))
        #expect(try peer.summary() == ["ack", "ack"])
        #expect(owner.context.hub.subscriptionReports().map(\.overflow) == [.disconnect, .throttle])
    }

    @Test func `the queue of one subscription is not that of another`() throws {
        try peer.send(.subscribe("t", as: "short", #","queue":1"#), .subscribe("t", as: "long", #","queue":10"#))
        _ = try peer.frames()
        peer.setWritable(false)
        for number in 1...5 { try publisher.send(.publish(number)) }
        peer.setWritable(true)
        let events = try peer.summary()
        #expect(events.filter { $0.hasPrefix("event") }.count == 6)
        #expect(events.filter { $0 == "info messages_dropped" }.count == 1)
    }

    @Test func `a subscriber that would be cut is warned at four fifths, once an episode, ahead of its events`() throws
    {
        try lag(#","queue":5,"overflow":"disconnect""#, behind: 1...3)
        peer.setWritable(true)
        #expect(try peer.summary() == ["event 1", "event 2", "event 3"])
        for _ in 0..<2 {
            peer.setWritable(false)
            for number in 1...5 { try publisher.send(.publish(number)) }
            peer.setWritable(true)
            let lines = try peer.lines()
            #expect(
                lines.first == #"{"type":"info","topic":"t","msg":"slow_consumer_warning","lag":4,"queue":5"#
            )
            #expect(lines.count == 6)
        }
    }

    @Test func `a plain subscriber is not warned, but cut`() throws {
        let owner = try EmbeddedLoop.withTopic {
            ($0.delivery.queue, $0.delivery.overflow) = (5, .disconnect)
        }
        let peer = try EmbeddedConnection.pubSub(on: owner)
        let publisher = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe())
        peer.setWritable(false)
        for number in 1...6 { try publisher.send(.publish(number)) }
        peer.setWritable(true)
        #expect(try peer.summary() == ["ack", "error SLOW_CONSUMER", "1008 SLOW_CONSUMER"])
    }

    @Test func `one that was warned and still does not read is cut`() throws {
        try lag(#","queue":5,"overflow":"disconnect""#, behind: 1...6)
        #expect(owner.broker.topic(named: "t")?.subscriberCount == 0)
        peer.setWritable(true)
        #expect(
            try peer.summary() == ["info slow_consumer_warning", "error SLOW_CONSUMER", "1008 SLOW_CONSUMER"]
        )
    }

    @Test func `throttle may be asked for by one subscription`() throws {
        try lag(#","queue":2,"overflow":"throttle""#, behind: 1...4)
        #expect(!publisher.isReading)
        peer.setWritable(true)
        #expect(publisher.isReading)
        #expect(try peer.summary() == ["event 1", "event 2", "event 3", "event 4"])
    }

    @Test func `answers do not wait for events`() throws {
        try lag(#","positions":true"#, behind: 1...5)
        try peer.send(.text(#"{"type":"ping","request_id":1}"#), .publish(6), .ping("p"))
        peer.setWritable(true)
        let summary = try peer.summary()
        #expect(summary.prefix(2) == ["pong", "ack"])
        #expect(summary.suffix(6) == (1...6).map { "event \($0)" })
    }
}
