import ApusBroker
import ApusProtocol
import NIOEmbedded
import Testing

@testable import ApusServer

/// The contract's commands on an embedded connection: what is answered, and in which order.
@Suite struct PubSubSessionTests {
    @Test func `acks come before replays, replays before live messages, and an ack before one's own event`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.publish(1), .publish(2), .subscribe("t", as: "c", #","last_n":2"#), .publish(3))
        #expect(try peer.summary() == ["ack", "ack", "ack", "ack", "event 1", "event 2", "event 3"])
    }

    @Test func `an unsubscribe's ack comes after what was published before it`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(
            .subscribe(),
            .publish(1),
            .unsubscribe(),
            .publish(2)
        )
        #expect(try peer.summary() == ["ack", "ack", "event 1", "ack", "ack"])
    }

    @Test func `both dialects get each other's messages`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let base = try EmbeddedConnection.pubSub(on: owner)
        let v1 = try EmbeddedConnection.pubSub(on: owner, dialect: .v1)
        try base.send(.subscribe())
        try v1.send(.subscribe(), .publish(1, id: "any"))
        try base.send(.publish(2, id: "not a UUID"), .publish(3))
        #expect(try base.summary() == ["ack", "event 1", "error BAD_REQUEST", "ack", "event 3"])
        let texts = try v1.texts()
        #expect(texts.count == 4 && texts.allSatisfy { $0.contains(#""timestamp":""#) && !$0.contains(#""ts":"#) })
    }

    @Test func `a topic that was deleted and made again is published to at once`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.publish(1))
        try owner.broker.deleteTopic(named: "t")
        try peer.send(.publish(2))
        try owner.broker.createTopic(named: "t")
        try peer.send(.publish(3))
        try owner.broker.deleteTopic(named: "t")
        try owner.broker.createTopic(named: "t")
        try peer.send(.publish(4))
        let replies = try peer.summary()
        #expect(replies == ["ack", "error TOPIC_NOT_FOUND", "ack", "ack"])
        #expect(owner.broker.topic(named: "t")?.publishedCount == 1)
    }

    @Test func `a deletion tells subscribers, or ends their connections`() throws {
        for disconnects in [false, true] {
            let owner = try EmbeddedLoop.withTopic { $0.topics.onDelete = disconnects ? .disconnect : .info }
            let peer = try EmbeddedConnection.pubSub(on: owner)
            try peer.send(.subscribe(), .publish(1))
            try owner.broker.deleteTopic(named: "t")
            peer.run()
            let end = disconnects ? ["1000 TOPIC_DELETED"] : []
            #expect(try peer.summary() == ["ack", "ack", "event 1", "info topic_deleted"] + end)
        }
    }

    @Test func `drop-oldest tells a slow reader what it missed`() throws {
        let owner = try EmbeddedLoop.withTopic { $0.delivery.queue = 2 }
        let peer = try EmbeddedConnection.pubSub(on: owner)
        let other = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe())
        _ = try peer.frames()
        peer.setWritable(false)
        for number in 1...5 { try other.send(.publish(number)) }
        #expect(try peer.frames().isEmpty)
        peer.setWritable(true)
        let texts = try peer.texts()
        #expect(texts.count == 3 && texts.first?.contains(#""msg":"messages_dropped","dropped":3,"#) == true)
    }

    @Test func `disconnect tells a slow reader that it goes`() throws {
        let owner = try EmbeddedLoop.withTopic {
            ($0.delivery.queue, $0.delivery.overflow) = (2, .disconnect)
        }
        let peer = try EmbeddedConnection.pubSub(on: owner)
        let other = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe())
        _ = try peer.frames()
        peer.setWritable(false)
        for number in 1...3 { try other.send(.publish(number)) }
        #expect(owner.broker.topic(named: "t")?.subscriberCount == 0)
        peer.setWritable(true)
        #expect(try peer.summary() == ["error SLOW_CONSUMER", "1008 SLOW_CONSUMER"])
    }

    @Test func `throttle puts a publisher off, with all that it sent behind it`() throws {
        let owner = try EmbeddedLoop.withTopic {
            ($0.delivery.queue, $0.delivery.overflow) = (2, .throttle)
        }
        let peer = try EmbeddedConnection.pubSub(on: owner)
        let publisher = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe())
        peer.setWritable(false)
        try publisher.send(.publish(1), .publish(2), .publish(3), .text(#"{"type":"ping"}"#), .publish(4))
        #expect(try publisher.summary() == ["ack", "ack"])
        #expect(!publisher.isReading)
        peer.setWritable(true)
        #expect(try publisher.summary() == ["ack", "pong", "ack"])
        #expect(publisher.isReading)
        #expect(try peer.summary() == ["ack", "event 1", "event 2", "event 3", "event 4"])
    }

    @Test func `at shutdown a publisher that waits is refused and closed like the others`() throws {
        let owner = try EmbeddedLoop.withTopic {
            ($0.delivery.queue, $0.delivery.overflow) = (1, .throttle)
        }
        let peer = try EmbeddedConnection.pubSub(on: owner)
        let publisher = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe())
        peer.setWritable(false)
        try publisher.send(.publish(1), .publish(2))
        owner.context.refuseCommands()
        owner.context.drain()
        #expect(try publisher.summary() == ["ack", "error UNAVAILABLE", "1001 SHUTDOWN"])
        #expect(try peer.summary() == ["ack"])
        peer.setWritable(true)
        #expect(try peer.summary() == ["event 1", "1001 SHUTDOWN"])
    }

    @Test func `without a key just a key is taken, once and in time`() throws {
        func peer() throws -> EmbeddedConnection {
            let owner = try EmbeddedLoop.withTopic {
                $0.access.apiKeys = ["k"]
                $0.timeouts.auth = .milliseconds(1000)
                $0.timeouts.heartbeat = .milliseconds(100)
            }
            return try EmbeddedConnection.pubSub(on: owner)
        }
        let auth = ClientFrame.text(#"{"type":"auth","api_key":"k"}"#)
        let refused = ["error UNAUTHORIZED", "1008 UNAUTHORIZED"]
        let good = try peer()
        try good.send(auth, .subscribe(), auth)
        #expect(try good.summary() == ["ack", "ack", "ack"])
        for first in [
            ClientFrame.subscribe(), .text(#"{"type":"auth","api_key":"x"}"#), .text("no JSON"),
            .text(#"{"type":"ping"}"#),
        ] {
            let bad = try peer()
            try bad.send(first, auth)
            #expect(try bad.summary() == refused)
        }
        let silent = try peer()
        let now = silent.owner.context.monotonicNow()
        silent.connection.tick(now: now + 500)
        #expect(try silent.frames().isEmpty)
        silent.connection.tick(now: now + 2000)
        #expect(try silent.summary() == refused)
    }

    @Test func `heartbeats come, but not to one that reads nothing`() throws {
        let owner = try EmbeddedLoop.withTopic {
            $0.timeouts.heartbeat = .milliseconds(1000)
            $0.timeouts.pingInterval = .zero
        }
        let peer = try EmbeddedConnection.pubSub(on: owner)
        let now = owner.context.monotonicNow()
        peer.connection.tick(now: now + 1500)
        #expect(try peer.summary() == ["info ping"])
        peer.setWritable(false)
        for later in 1...50 { peer.connection.tick(now: now + 1500 + Int64(later) * 1000) }
        peer.setWritable(true)
        #expect(try peer.frames().isEmpty)
    }
}
