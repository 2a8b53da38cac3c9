import ApusAccess
import ApusBroker
import ApusProtocol
import NIOConcurrencyHelpers
import Testing

@testable import ApusServer

/// What a WebSocket's client may do: rights, renewal, expiry and revocation.
@Suite struct SessionRightsTests {
    /// The wall clock of the tests.
    private let clock = NIOLockedValueBox<Int64>(1_000_000)

    private func key(_ id: String, _ rules: String, expires: Int64? = nil) throws -> APIKey {
        let value = try #require(JSONValue(rules))
        return APIKey(id: id, digest: KeyDigest(of: id), rules: RuleList(value), expires: expires)
    }

    private func control(_ keys: APIKey..., anonymous: String? = nil) throws -> AccessControl {
        let rules = try anonymous.map { RuleList(try #require(JSONValue($0))) }
        let policy = AccessPolicy(
            keys: try KeyRing(keys),
            tokens: nil,
            anonymous: rules.map { Rights($0, subject: nil) }
        )
        return AccessControl(policy, now: { [clock] in clock.withLockedValue { $0 } })
    }

    private func peer(_ access: AccessControl, topics: String...) throws -> EmbeddedConnection {
        let owner = try EmbeddedLoop(access: access)
        for topic in topics { try owner.broker.createTopic(named: topic) }
        return try EmbeddedConnection.pubSub(on: owner)
    }

    private func auth(_ key: String) -> ClientFrame { .text(#"{"type":"auth","api_key":"\#(key)"}"#) }

    private func subscribe(_ topic: String, _ more: String = "") -> ClientFrame {
        .text(#"{"type":"subscribe","topic":"\#(topic)","client_id":"c"\#(more)}"#)
    }

    private func publish(_ topic: String, _ payload: Int = 1) -> ClientFrame {
        .text(
            #"{"type":"publish","topic":"\#(topic)","message":{"id":"550e8400-e29b-41d4-a716-446655440000","payload":\#(payload)}}"#
        )
    }

    @Test func `what is not granted is FORBIDDEN, whether or not the topic exists`() throws {
        let rules = #"[{"actions":["publish"],"topics":["a"]},{"actions":["subscribe"],"topics":["b"]}]"#
        let peer = try peer(control(key("k", rules)), topics: "a", "b", "c")
        try peer.send(auth("k"), publish("a"), publish("a"), publish("b"), publish("c"), publish("missing"))
        #expect(try peer.summary() == ["ack", "ack", "ack"] + Array(repeating: "error FORBIDDEN", count: 3))
        try peer.send(subscribe("a"), subscribe("c"), subscribe("missing"), subscribe("b"))
        #expect(try peer.summary() == Array(repeating: "error FORBIDDEN", count: 3) + ["ack"])
    }

    @Test func `to unsubscribe needs no right, and tells nobody without one whether the topic exists`() throws {
        let peer = try peer(control(key("k", #"[{"actions":["subscribe"],"topics":["a"]}]"#)), topics: "a", "b")
        try peer.send(auth("k"), subscribe("a"), .unsubscribe("a"), .unsubscribe("b"), .unsubscribe("missing"))
        #expect(try peer.summary() == Array(repeating: "ack", count: 5))
    }

    @Test(arguments: [
        (#","last_n":5"#, "history"), (#","since":"all""#, "history"), (#","wait":true"#, "history"),
        (#","presence":true"#, "presence"),
    ])
    func `a replay needs the right to history, and presence its own`(field: String, action: String) throws {
        let few = try key("few", #"[{"actions":["subscribe"],"topics":["t"]}]"#)
        let more = try key("more", #"[{"actions":["subscribe","\#(action)"],"topics":["t"]}]"#)
        let peer = try peer(control(few, more), topics: "t")
        try peer.send(auth("few"), subscribe("t", field), auth("more"), subscribe("t", field))
        #expect(try peer.summary() == ["ack", "error FORBIDDEN", "ack", "ack"])
    }

    @Test func `a denied topic is left out of a pattern, silently and also when it is created later`() throws {
        let rules =
            #"[{"actions":["*"],"topics":["o.>"]},{"deny":true,"actions":["subscribe"],"topics":["o.secret.>"]}]"#
        let peer = try peer(control(key("k", rules)), topics: "o.a", "o.secret.a")
        try peer.send(auth("k"), subscribe("o.>"), publish("o.a", 1), publish("o.secret.a", 2))
        #expect(try peer.summary() == ["ack", "ack", "ack", "ack", "event 1"])
        try peer.owner.broker.createTopic(named: "o.secret.b")
        try peer.owner.broker.createTopic(named: "o.b")
        try peer.send(publish("o.secret.b", 3), publish("o.b", 4))
        #expect(try peer.summary() == ["ack", "ack", "event 4"])
        try peer.send(subscribe("o.secret.*"), subscribe(">"))
        #expect(try peer.summary() == ["error FORBIDDEN", "error FORBIDDEN"])
    }

    @Test func `where only history is denied, a pattern's replay leaves that topic out, and its live messages come`()
        throws
    {
        let rules = #"[{"actions":["*"],"topics":[">"]},{"deny":true,"actions":["history"],"topics":["quiet"]}]"#
        let peer = try peer(control(key("k", rules)), topics: "loud", "quiet")
        try peer.send(auth("k"), publish("loud", 1), publish("quiet", 2))
        #expect(try peer.summary() == ["ack", "ack", "ack"])
        try peer.send(subscribe("*", #","last_n":10"#), publish("quiet", 3))
        // Which topic comes first is not said.
        #expect(try peer.summary().sorted() == ["ack", "ack", "event 1", "event 3"])
    }

    @Test func `a renewal that takes rights away ends just the subscriptions that need them`() throws {
        let wide = try key("wide", #"[{"actions":["*"],"topics":[">"]}]"#)
        let narrow = try key("narrow", #"[{"actions":["subscribe","publish"],"topics":["a","p.*"]}]"#)
        let peer = try peer(control(wide, narrow), topics: "a", "b", "p.x")
        try peer.send(auth("wide"), subscribe("a"), subscribe("b"), subscribe("p.*"), subscribe(">"))
        #expect(try peer.summary() == Array(repeating: "ack", count: 5))
        try peer.send(auth("narrow"))
        let news = try peer.texts()
        #expect(news.count == 3 && news[2].contains(#""type":"ack""#))
        for (text, topic) in zip(news, [">", "b"]) {
            #expect(text.contains(#""topic":"\#(topic)","msg":"unsubscribed","reason":"FORBIDDEN""#))
        }
        try peer.send(publish("a", 1), publish("p.x", 2))
        #expect(try peer.summary() == ["ack", "ack", "event 1", "event 2"])
    }

    @Test func `a renewal that gives rights lets a pattern's topics in`() throws {
        let rules = #"[{"actions":["*"],"topics":[">"]},{"deny":true,"actions":["subscribe"],"topics":["b"]}]"#
        let wide = try key("wide", #"[{"actions":["*"],"topics":[">"]}]"#)
        let peer = try peer(control(key("narrow", rules), wide), topics: "a", "b")
        try peer.send(auth("narrow"), subscribe("*"), publish("b", 1), auth("wide"), publish("b", 2), auth("narrow"))
        #expect(try peer.summary() == ["ack", "ack", "ack", "ack", "ack", "event 2", "ack"])
        try peer.send(publish("b", 3), publish("a", 4))
        #expect(try peer.summary() == ["ack", "ack", "event 4"])
    }

    @Test func `a wrong credential changes nothing once the client is in`() throws {
        let peer = try peer(control(key("k", #"[{"actions":["*"],"topics":[">"]}]"#)), topics: "t")
        try peer.send(auth("k"), auth("wrong"), subscribe("t"))
        #expect(try peer.summary() == ["ack", "error UNAUTHORIZED", "ack"])
    }

    @Test func `an open server asks for no credentials, and says so`() throws {
        let peer = try EmbeddedConnection.pubSub()
        try peer.send(auth("k"), .text(#"{"type":"auth","token":"t"}"#), .text(#"{"type":"ping"}"#))
        #expect(try peer.summary() == ["error BAD_REQUEST", "error BAD_REQUEST", "pong"])
    }

    @Test func `anonymous clients have their own rights, and may bring a credential later`() throws {
        let access = try control(
            key("k", #"[{"actions":["*"],"topics":[">"]}]"#),
            anonymous: #"[{"actions":["subscribe"],"topics":["news.*"]}]"#
        )
        let peer = try peer(access, topics: "news.a")
        try peer.send(subscribe("news.a"), publish("news.a"), auth("k"), publish("news.a", 2))
        #expect(try peer.summary() == ["ack", "error FORBIDDEN", "ack", "ack", "event 2"])
    }

    @Test func `a client is told 30 s before its key ends, and cut after the grace unless it renews`() throws {
        let rules = #"[{"actions":["*"],"topics":[">"]}]"#
        let access = try control(key("short", rules, expires: 1_100_000), key("long", rules, expires: 9_000_000))
        let peer = try peer(access)
        let other = try EmbeddedConnection.pubSub(on: peer.owner)
        let now = peer.owner.context.monotonicNow()
        func tick(at wall: Int64) {
            clock.withLockedValue { $0 = wall }
            peer.connection.tick(now: now)
            other.connection.tick(now: now)
        }
        try peer.send(auth("short"))
        try other.send(auth("short"))
        tick(at: 1_069_999)
        #expect(try peer.summary() == ["ack"])
        tick(at: 1_070_000)
        #expect(try peer.texts().map { $0.contains(#""msg":"token_expiring","expires_in_ms":30000"#) } == [true])
        tick(at: 1_071_000)
        try other.send(auth("long"))
        #expect(try other.summary() == ["ack", "info token_expiring", "ack"])
        tick(at: 1_124_999)
        #expect(try peer.summary().isEmpty)
        tick(at: 1_125_000)
        #expect(try peer.summary() == ["error UNAUTHORIZED", "1008 TOKEN_EXPIRED"])
        #expect(try other.summary().isEmpty)
    }

    @Test func `a revoked key closes its connections and no others`() throws {
        let rules = #"[{"actions":["*"],"topics":[">"]}]"#
        let access = try control(key("a", rules), key("b", rules))
        let peer = try peer(access)
        let other = try EmbeddedConnection.pubSub(on: peer.owner)
        try peer.send(auth("a"))
        try other.send(auth("b"))
        _ = try access.revoke(.key(id: "a"), issuedBefore: nil)
        peer.owner.context.checkAccess()
        #expect(try peer.summary() == ["ack", "1008 REVOKED"])
        #expect(try other.summary() == ["ack"])
        let late = try EmbeddedConnection.pubSub(on: peer.owner)
        try late.send(auth("a"))
        #expect(try late.summary() == ["error UNAUTHORIZED", "1008 UNAUTHORIZED"])
    }
}
