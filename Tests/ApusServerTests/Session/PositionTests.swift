import ApusBroker
import ApusProtocol
import Testing

@testable import ApusServer

/// Positions and recovery on an embedded connection (extensions.md section 1), byte for byte.
@Suite struct PositionTests {
    private static let ack = #"{"type":"ack","topic":"t","status":"ok""#

    private func event(_ number: Int, _ more: String = "") -> String {
        #"{"type":"event","topic":"t","message":\#(ClientFrame.message(number))\#(more)"#
    }

    /// What a new connection is told that subscribes so.
    private func lines(on owner: EmbeddedLoop, _ more: String) throws -> [String] {
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe("t", as: "c", more))
        return try peer.lines()
    }

    @Test func `an ack and events tell their place, behind everything else`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe("t", as: "c", #","positions":true,"request_id":"r""#))
        try peer.send(.publish(1), .publish(2, #","key":"k\"1""#))
        #expect(
            try peer.lines() == [
                #"{"type":"ack","request_id":"r","topic":"t","status":"ok","epoch":"E","offset":0"#,
                Self.ack, Self.ack, event(1, #","offset":1"#), event(2, #","key":"k\"1","offset":2"#),
            ]
        )
    }

    @Test func `who asks for nothing sees nothing of it`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let peer = try EmbeddedConnection.pubSub(on: owner)
        let other = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe())
        try other.send(.publish(1, #","key":"k","ttl":60"#), .publish(batch: [2], #","outcome":true,"key":"k""#))
        let second = #"{"type":"event","topic":"t","message":\#(ClientFrame.message(2, id: ClientFrame.numberedID(2)))"#
        #expect(try peer.lines() == [Self.ack, event(1), second])
    }

    @Test func `any other extension shows keys, but no offsets`() throws {
        for field in [
            #""echo":true"#, #""queue":5"#, #""overflow":"drop-oldest""#, #""presence":false"#,
            #""positions":false"#,
        ] {
            let owner = try EmbeddedLoop.withTopic()
            let peer = try EmbeddedConnection.pubSub(on: owner)
            try peer.send(.subscribe("t", as: "c", ",\(field)"), .publish(1, #","key":"k""#))
            #expect(try peer.lines() == [Self.ack, Self.ack, event(1, #","key":"k""#)], "\(field)")
        }
    }

    @Test func `the v1 dialect says the same with its own word for the time`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let peer = try EmbeddedConnection.pubSub(on: owner, dialect: .v1)
        try peer.send(.subscribe("t", as: "c", #","positions":true"#), .publish(1, id: "m"))
        let texts = try peer.texts()
        #expect(texts.count == 3 && texts.allSatisfy { $0.contains(#","timestamp":""#) && !$0.contains(#""ts""#) })
        #expect(texts[0].hasPrefix(#"{"type":"ack","topic":"t","status":"ok","epoch":"\#(owner.epoch)","offset":0,"#))
        #expect(
            texts[2].hasPrefix(#"{"type":"event","topic":"t","message":{"id":"m","payload":1},"offset":1,"timestamp":"#)
        )
    }

    @Test func `last_n with positions says where it starts`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let publisher = try EmbeddedConnection.pubSub(on: owner)
        for number in 1...5 { try publisher.send(.publish(number)) }
        let start = Self.ack + #","epoch":"E","offset":"#
        #expect(
            try lines(on: owner, #","positions":true,"last_n":2"#)
                == [start + "3", event(4, #","offset":4"#), event(5, #","offset":5"#)]
        )
        #expect(try lines(on: owner, #","positions":true"#) == [start + "5"])
        #expect(try lines(on: owner, #","positions":true,"last_n":99"#).count == 6)
    }

    @Test func `a position that is kept is resumed behind, without gap or double`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let publisher = try EmbeddedConnection.pubSub(on: owner)
        for number in 1...5 { try publisher.send(.publish(number)) }
        for offset in 0...5 {
            let lines = try lines(on: owner, #","since":{"epoch":"\#(owner.epoch)","offset":\#(offset)}"#)
            #expect(lines.first == Self.ack + #","epoch":"E","offset":\#(offset),"recovered":true"#)
            #expect(lines.dropFirst() == (0..<5).map { event($0 + 1, #","offset":\#($0 + 1)"#) }[offset...])
        }
    }

    @Test func `another epoch is told so, and all that is kept is replayed`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let publisher = try EmbeddedConnection.pubSub(on: owner)
        try publisher.send(.publish(1), .publish(2))
        for offset in ["0", "2", "3", "18446744073709551615"] {
            #expect(
                try lines(on: owner, #","since":{"epoch":"another","offset":\#(offset)}"#) == [
                    Self.ack + #","epoch":"E","offset":0,"recovered":false"#,
                    event(1, #","offset":1"#), event(2, #","offset":2"#),
                ]
            )
        }
        try owner.broker.createTopic(named: "empty")
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe("empty", as: "c", #","since":{"epoch":"another","offset":7}"#))
        #expect(try peer.lines().first?.hasSuffix(#","offset":0,"recovered":false"#) == true)
    }

    @Test func `what is no longer kept is named`() throws {
        let owner = try EmbeddedLoop.withTopic(history: 2)
        let publisher = try EmbeddedConnection.pubSub(on: owner)
        for number in 1...5 { try publisher.send(.publish(number)) }
        let kept = [event(4, #","offset":4"#), event(5, #","offset":5"#)]
        for (offset, gap) in [(0, #"{"from":1,"to":3}"#), (1, #"{"from":2,"to":3}"#), (2, #"{"from":3,"to":3}"#)] {
            let start = Self.ack + #","epoch":"E","offset":3,"recovered":false,"missed":\#(gap)"#
            #expect(
                try lines(on: owner, #","since":{"epoch":"\#(owner.epoch)","offset":\#(offset)}"#) == [start] + kept
            )
        }
        let start = Self.ack + #","epoch":"E","offset":3,"recovered":true"#
        #expect(try lines(on: owner, #","since":{"epoch":"\#(owner.epoch)","offset":3}"#) == [start] + kept)
        // In another epoch nobody knows what was missed.
        #expect(
            try lines(on: owner, #","since":{"epoch":"x","offset":1}"#).first
                == Self.ack + #","epoch":"E","offset":3,"recovered":false"#
        )
    }

    @Test func `a position from the future is refused, and nothing subscribed`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let publisher = try EmbeddedConnection.pubSub(on: owner)
        try publisher.send(.publish(1))
        for offset in ["2", "3", "9223372036854775808", "18446744073709551615"] {
            let lines = try lines(
                on: owner,
                #","request_id":1,"since":{"epoch":"\#(owner.epoch)","offset":\#(offset)}"#
            )
            #expect(lines.count == 1)
            #expect(lines[0].hasPrefix(#"{"type":"error","request_id":1,"error":{"code":"BAD_REQUEST","message":""#))
            #expect(lines[0].contains("'since.offset'"))
        }
        #expect(owner.broker.topic(named: "t")?.subscriberCount == 0)
    }

    @Test func `since all, a duration or a time replays without a word of recovery`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let publisher = try EmbeddedConnection.pubSub(on: owner)
        try publisher.send(.publish(1), .publish(2))
        let all = [
            Self.ack + #","epoch":"E","offset":0"#, event(1, #","offset":1"#), event(2, #","offset":2"#),
        ]
        for since in ["all", "10m", "1970-01-01T00:00:00Z", "36500d"] {
            #expect(try lines(on: owner, #","since":"\#(since)""#) == all, "\(since)")
        }
        #expect(try lines(on: owner, #","since":"9999-12-31T23:59:59Z""#) == [Self.ack + #","epoch":"E","offset":2"#])
    }

    @Test func `subscribing again replaces the options`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let peer = try EmbeddedConnection.pubSub(on: owner)
        let publisher = try EmbeddedConnection.pubSub(on: owner)
        let publish = ClientFrame.publish(1, #","key":"k""#)
        try peer.send(.subscribe("t", as: "c", #","positions":true"#))
        try publisher.send(publish)
        try peer.send(.subscribe())
        try publisher.send(publish)
        try peer.send(.subscribe("t", as: "c", #","echo":true"#))
        try publisher.send(publish)
        #expect(
            try peer.lines() == [
                Self.ack + #","epoch":"E","offset":0"#, event(1, #","key":"k","offset":1"#),
                Self.ack, event(1),
                Self.ack, event(1, #","key":"k""#),
            ]
        )
        #expect(owner.broker.topic(named: "t")?.subscriberCount == 1)
    }

    @Test func `subscribing again with a position replays from there, still one copy`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe("t", as: "c", #","positions":true"#), .publish(1), .publish(2))
        _ = try peer.frames()
        let position = #","since":{"epoch":"\#(owner.epoch)","offset":1}"#
        try peer.send(.subscribe("t", as: "c", position), .publish(3))
        #expect(
            try peer.lines() == [
                Self.ack + #","epoch":"E","offset":1,"recovered":true"#, Self.ack,
                event(2, #","offset":2"#), event(3, #","offset":3"#),
            ]
        )
    }

    @Test func `a wrong field is refused with the request's id, and nothing subscribed`() throws {
        let owner = try EmbeddedLoop.withTopic { $0.limits.maxQueue = 50 }
        for (field, text) in [
            (#""positions":1"#, "'positions' must be true or false"),
            (#""queue":51"#, "'queue' must be an integer from 1 to 50"),
            (#""since":"all","last_n":1"#, "'since' and 'last_n' exclude each other"),
        ] {
            #expect(
                try lines(on: owner, #","request_id":"r","# + field)
                    == [#"{"type":"error","request_id":"r","error":{"code":"BAD_REQUEST","message":"\#(text)"}"#]
            )
        }
        // What is wrong with the command itself comes first; a topic that is missing comes last.
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe("missing", as: "c", #","queue":0"#), .subscribe("missing", as: "c", #","queue":1"#))
        #expect(try peer.summary() == ["error BAD_REQUEST", "error TOPIC_NOT_FOUND"])
        #expect(owner.broker.topic(named: "t")?.subscriberCount == 0)
    }
}
