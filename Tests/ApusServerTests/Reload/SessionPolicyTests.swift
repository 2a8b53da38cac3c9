import ApusAccess
import ApusBroker
import ApusProtocol
import NIOConcurrencyHelpers
import Testing

@testable import ApusServer

/// What becomes of a WebSocket's client when another policy comes into force.
@Suite struct SessionPolicyTests {
    /// The wall clock of the tests.
    private let clock = NIOLockedValueBox<Int64>(1_000_000)
    private static let all = #"[{"actions":["*"],"topics":[">"]}]"#

    private typealias Key = (id: String, secret: String, rules: String)

    private func policy(
        _ keys: [Key],
        anonymous: String? = nil,
        expires: Int64? = nil,
        isOpen: Bool? = nil
    ) throws -> AccessPolicy {
        func rules(_ text: String) throws -> RuleList { RuleList(try #require(JSONValue(text))) }
        return AccessPolicy(
            keys: try KeyRing(
                keys.map { key in
                    APIKey(
                        id: key.id,
                        digest: KeyDigest(of: key.secret),
                        rules: try rules(key.rules),
                        expires: expires
                    )
                }
            ),
            tokens: nil,
            anonymous: try anonymous.map { Rights(try rules($0), subject: nil) },
            isOpen: isOpen
        )
    }

    private func control(_ policy: AccessPolicy) -> AccessControl {
        AccessControl(policy, now: { [clock] in clock.withLockedValue { $0 } })
    }

    private func peer(_ access: AccessControl, topics: String...) throws -> EmbeddedConnection {
        let owner = try EmbeddedLoop(access: access)
        for topic in topics { try owner.broker.createTopic(named: topic) }
        return try EmbeddedConnection.pubSub(on: owner)
    }

    @discardableResult
    private func take(_ policy: AccessPolicy, _ peer: EmbeddedConnection) -> [String: KeyRing.Change] {
        let access = peer.owner.context.access
        let changes = access.replacePolicy(policy, grace: 25_000, revocationLifetime: nil)
        peer.owner.context.checkAccess()
        peer.run()
        return changes
    }

    private func auth(_ key: String) -> ClientFrame { .text(#"{"type":"auth","api_key":"\#(key)"}"#) }

    private func subscribe(_ topic: String) -> ClientFrame {
        .text(#"{"type":"subscribe","topic":"\#(topic)","client_id":"c"}"#)
    }

    private func publish(_ topic: String, _ payload: Int = 1) -> ClientFrame {
        .text(
            #"{"type":"publish","topic":"\#(topic)","message":{"id":"550e8400-e29b-41d4-a716-446655440000","payload":\#(payload)}}"#
        )
    }

    @Test(arguments: [false, true])
    func `a key that is gone, or has another secret, closes its connections and no others`(isThere: Bool) throws {
        let access = try control(policy([("a", "a", Self.all), ("b", "b", Self.all)]))
        let peer = try peer(access, topics: "t")
        let other = try EmbeddedConnection.pubSub(on: peer.owner)
        try peer.send(auth("a"), subscribe("t"))
        try other.send(auth("b"), subscribe("t"))
        let next: [Key] = isThere ? [("a", "other", Self.all)] : []
        #expect(try take(policy(next + [("b", "b", Self.all)]), peer) == ["a": .gone, "b": .unchanged])
        #expect(try peer.summary() == ["ack", "ack", "1008 REVOKED"])
        try other.send(publish("t", 7))
        #expect(try other.summary() == ["ack", "ack", "ack", "event 7"])
    }

    @Test func `a key that is narrowed loses just the subscriptions and publishes that it may not have any more`()
        throws
    {
        let access = try control(policy([("a", "a", Self.all)]))
        let peer = try peer(access, topics: "t", "u", "p.x")
        try peer.send(auth("a"), subscribe("t"), subscribe("u"), subscribe("p.*"), publish("u"))
        #expect(try peer.summary() == ["ack", "ack", "ack", "ack", "ack", "event 1"])
        let rules = #"[{"actions":["subscribe","publish"],"topics":["t","p.>"]}]"#
        #expect(try take(policy([("a", "a", rules)]), peer) == ["a": .narrowed])
        let news = try peer.texts()
        #expect(news.count == 1 && news[0].contains(#""topic":"u","msg":"unsubscribed","reason":"FORBIDDEN""#))
        try peer.send(publish("u", 2), publish("t", 3), publish("p.x", 4))
        #expect(try peer.summary() == ["error FORBIDDEN", "ack", "ack", "event 3", "event 4"])
        #expect(try take(policy([("a", "a", Self.all)]), peer) == ["a": .widened])
        try peer.send(publish("u", 5), subscribe("u"))
        #expect(try peer.summary() == ["ack", "ack"])
    }

    @Test func `a key that now expires earlier is announced, and ends like one that expired`() throws {
        let peer = try peer(control(policy([("a", "a", Self.all)])))
        try peer.send(auth("a"))
        try take(policy([("a", "a", Self.all)], expires: 1_010_000), peer)
        #expect(try peer.summary() == ["ack", "info token_expiring"])
        try take(policy([("a", "a", Self.all)], expires: 1000), peer)
        #expect(try peer.summary() == ["error UNAUTHORIZED", "1008 TOKEN_EXPIRED"])
    }

    @Test func `clients of an open server have to show a credential once it is closed`() throws {
        let peer = try peer(control(.open), topics: "t")
        let idle = try EmbeddedConnection.pubSub(on: peer.owner)
        try peer.send(subscribe("t"))
        try idle.send(subscribe("t"))
        try take(policy([("a", "a", Self.all)]), peer)
        for peer in [peer, idle] { #expect(try peer.summary() == ["ack", "info unsubscribed"]) }
        try peer.send(auth("a"), subscribe("t"), publish("t", 2))
        #expect(try peer.summary() == ["ack", "ack", "ack", "event 2"])
        try idle.send(subscribe("t"))
        #expect(try idle.summary() == ["error UNAUTHORIZED", "1008 UNAUTHORIZED"])
    }

    @Test func `rights of anonymous clients come, change and go`() throws {
        let key: [Key] = [("a", "a", Self.all)]
        let peer = try peer(control(policy(key)), topics: "t", "u")
        try take(policy(key, anonymous: #"[{"actions":["subscribe"],"topics":["t","u"]}]"#), peer)
        try peer.send(subscribe("t"), subscribe("u"))
        #expect(try peer.summary() == ["ack", "ack"])
        try take(policy(key, anonymous: #"[{"actions":["subscribe"],"topics":["t"]}]"#), peer)
        #expect(try peer.summary() == ["info unsubscribed"])
        try take(policy(key), peer)
        #expect(try peer.summary() == ["info unsubscribed"])
        try peer.send(subscribe("t"))
        #expect(try peer.summary() == ["error UNAUTHORIZED", "1008 UNAUTHORIZED"])
    }

    @Test func `a client that was admitted by the policy before is compared at its first tick`() throws {
        let access = try control(policy([("a", "a", Self.all)]))
        let owner = try EmbeddedLoop(access: access)
        let admission = try #require(access.admitAtOnce(Credentials(key: "a")))
        _ = try access.replacePolicy(policy([("b", "b", Self.all)]), grace: 0, revocationLifetime: nil)
        owner.context.checkAccess()
        let peer = try EmbeddedConnection.pubSub(on: owner, identity: .known(admission))
        peer.connection.tick(now: owner.context.monotonicNow())
        #expect(try peer.summary() == ["1008 REVOKED"])
    }

    @Test func `a server whose file of keys is empty is closed to everybody`() throws {
        let peer = try peer(control(policy([], isOpen: false)))
        try peer.send(auth("a"))
        #expect(try peer.summary() == ["error UNAUTHORIZED", "1008 UNAUTHORIZED"])
    }
}
