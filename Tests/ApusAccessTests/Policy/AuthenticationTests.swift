import ApusAccess
import Testing

struct AuthenticationTests {
    private static func policy(anonymous: Rights? = nil) async throws -> AccessPolicy {
        AccessPolicy(
            keys: try KeyRing([
                APIKey(id: "a", digest: KeyDigest(of: "key-a"), rules: .all),
                APIKey(id: "b", digest: KeyDigest(of: "key-b"), rules: .none),
                APIKey(id: "dots", digest: KeyDigest(of: "a.b.c"), rules: .none),
            ]),
            tokens: try TokenVerifier(keys: [await TestKeys.verifying(.hs256)], policy: TokenPolicy()),
            anonymous: anonymous
        )
    }

    private static let token = forged(claims: #"{"exp":2000,"sub":"ann"}"#)
    private static let bob = forged(claims: #"{"exp":2000,"sub":"bob"}"#)

    /// The id of who it is, `anonymous`, or the code of the refusal.
    private static func outcome(_ credentials: Credentials, _ policy: AccessPolicy) async -> String {
        let now: Int64 = 1_000_000
        let later = await policy.authenticate(credentials, revocations: Revocations(), at: now)
        let atOnce = policy.authenticateAtOnce(credentials, revocations: Revocations(), at: now)
        #expect(later == atOnce)
        return switch later {
        case .anonymous: "anonymous"
        case .principal(let principal): principal.id ?? "nobody"
        case .refused(let error): "\(error.code)"
        }
    }

    @Test func `The first credential in the order of the specification decides`() async throws {
        let policy = try await Self.policy()
        let all = Credentials(
            keyHeaders: ["key-a"],
            authorization: ["Bearer \(Self.token)"],
            key: "key-b",
            token: Self.bob,
            subprotocols: ["apus", "bearer.\(Self.token)"]
        )
        var credentials = all
        #expect(await Self.outcome(credentials, policy) == "a")
        credentials.keyHeaders = []
        #expect(await Self.outcome(credentials, policy) == "ann")
        credentials.authorization = []
        #expect(await Self.outcome(credentials, policy) == "b")
        credentials.key = nil
        #expect(await Self.outcome(credentials, policy) == "bob")
        credentials.token = nil
        #expect(await Self.outcome(credentials, policy) == "ann")
        credentials.subprotocols = ["apus"]
        #expect(await Self.outcome(credentials, policy) == "anonymous")
        // A wrong one in front is refused, although good ones follow.
        credentials = all
        credentials.keyHeaders = ["wrong"]
        #expect(await Self.outcome(credentials, policy) == "unknownKey")
    }

    @Test func `A wrong or empty credential is refused, never taken for none`() async throws {
        let policy = try await Self.policy(anonymous: .all)
        #expect(await Self.outcome(Credentials(), policy) == "anonymous")
        for credentials in [
            Credentials(keyHeaders: [""]), Credentials(keyHeaders: ["wrong"]), Credentials(authorization: ["Bearer"]),
            Credentials(authorization: ["Bearer "]), Credentials(authorization: ["bearer wrong"]),
            Credentials(authorization: ["Bearer a.b.d"]), Credentials(key: ""), Credentials(token: ""),
            Credentials(token: "key-a"), Credentials(key: Self.token), Credentials(subprotocols: ["bearer."]),
            Credentials(subprotocols: ["apus", "bearer.x"]), Credentials(keyHeaders: ["key-a", "key-b"]),
            Credentials(authorization: ["Bearer key-a", "Bearer key-b"]),
            // An accent joins the space or the dot before it into one character, but they are still there.
            Credentials(authorization: ["Bearer \u{301}"]), Credentials(authorization: ["Bearer\tkey"]),
            Credentials(subprotocols: ["bearer.\u{301}"]),
            Credentials(subprotocols: ["bearer.\(Self.token)", "bearer.\(Self.bob)"]),
        ] {
            let outcome = await Self.outcome(credentials, policy)
            #expect(["malformed", "unknownKey"].contains(outcome), "\(credentials): \(outcome)")
        }
    }

    @Test func `A certificate names a key by its id, and counts when the request brings nothing`() async throws {
        let policy = try await Self.policy()
        #expect(await Self.outcome(Credentials(certificateName: "b"), policy) == "b")
        #expect(await Self.outcome(Credentials(keyHeaders: ["key-a"], certificateName: "b"), policy) == "a")
        #expect(await Self.outcome(Credentials(token: Self.token, certificateName: "b"), policy) == "ann")
        #expect(await Self.outcome(Credentials(key: "wrong", certificateName: "b"), policy) == "unknownKey")
        // The name is no secret, and a secret no name.
        #expect(await Self.outcome(Credentials(keyHeaders: ["b"]), policy) == "unknownKey")
        for name in ["key-b", "nobody", "", "B", "b\0"] {
            #expect(await Self.outcome(Credentials(certificateName: name), policy) == "anonymous")
        }
    }

    @Test func `A certificate gives what its key may do, until the key expires or is revoked`() async throws {
        let rules = RuleList(rules: [Rule(number: 1, actions: .publish, topics: ["a"])])
        let key = APIKey(id: "device", digest: KeyDigest(of: "key"), rules: rules, expires: 1_000_001)
        let policy = AccessPolicy(keys: try KeyRing([key]), tokens: nil, anonymous: nil)
        let credentials = Credentials(certificateName: "device")
        func result(at now: Int64, _ revocations: Revocations = Revocations()) -> Authentication? {
            policy.authenticateAtOnce(credentials, revocations: revocations, at: now)
        }
        #expect(result(at: 1_000_000) == .principal(Principal(certified: key)))
        #expect(result(at: 1_000_000).map(policy.rights(of:)) == key.rights)
        guard case .refused(let error) = result(at: 1_000_001) else { throw AccessError(.expired, "is not refused") }
        #expect(error.code == .expired)
        var revocations = Revocations()
        _ = try revocations.revoke(.key(id: "device"), issuedBefore: nil, at: 0)
        guard case .refused(let end) = result(at: 0, revocations) else { throw AccessError(.revoked, "is not refused") }
        #expect(end.code == .revoked)
    }

    @Test func `Bearer takes an API key, too, even one that looks like a token`() async throws {
        let policy = try await Self.policy()
        #expect(await Self.outcome(Credentials(authorization: ["Bearer key-a"]), policy) == "a")
        #expect(await Self.outcome(Credentials(authorization: ["bEARER  a.b.c "]), policy) == "dots")
        #expect(await Self.outcome(Credentials(keyHeaders: ["key-a", "key-a"]), policy) == "a")
    }

    @Test func `Another scheme belongs to someone else`() async throws {
        let policy = try await Self.policy()
        #expect(await Self.outcome(Credentials(authorization: ["Basic a2V5LWE="]), policy) == "anonymous")
        #expect(await Self.outcome(Credentials(authorization: ["Basic x", "Bearer key-a"]), policy) == "a")
    }

    @Test func `Without keys, tokens and anonymous rights everybody may do everything`() async throws {
        let open = AccessPolicy.open
        #expect(open.isOpen)
        #expect(open.rights(of: .anonymous) == .all)
        #expect(await Self.outcome(Credentials(keyHeaders: ["anything"]), open) == "anonymous")
    }

    @Test func `Anonymous clients have the rights that are set for them, or may not connect`() async throws {
        let some = try rights(#"[{"actions":["subscribe"],"topics":["news.>"]}]"#)
        #expect(try await Self.policy().rights(of: .anonymous) == nil)
        #expect(try await Self.policy(anonymous: some).rights(of: .anonymous) == some)
        let only = AccessPolicy(keys: .empty, tokens: nil, anonymous: some)
        #expect(!only.isOpen)
        #expect(await Self.outcome(Credentials(token: Self.token), only) == "unknownKey")
        #expect(only.rights(of: .refused(AccessError(.unknownKey, ""))) == nil)
    }

    @Test func `A credential is refused as soon as it is revoked`() async throws {
        let authenticator = Authenticator(try await Self.policy())
        let credentials = Credentials(token: Self.token)
        guard case .principal = await authenticator.authenticate(credentials, at: 1_000_000) else {
            Issue.record("the token is good")
            return
        }
        _ = try authenticator.withRevocations { try $0.revoke(.subject("ann"), at: 1_000_000) }
        guard case .refused(let error) = await authenticator.authenticate(credentials, at: 1_000_000) else {
            Issue.record("the token is revoked")
            return
        }
        #expect(error.code == .revoked)
        #expect(authenticator.authenticateAtOnce(credentials, at: 1_000_000) == .refused(error))
    }

    @Test func `A reload swaps the policy and says what became of the keys`() async throws {
        let authenticator = Authenticator(try await Self.policy())
        let next = AccessPolicy(
            keys: try KeyRing([APIKey(id: "a", digest: KeyDigest(of: "key-a"), rules: .none)]),
            tokens: nil,
            anonymous: nil
        )
        #expect(authenticator.replacePolicy(next) == ["a": .narrowed, "b": .gone, "dots": .gone])
        let later = authenticator.authenticateAtOnce(Credentials(keyHeaders: ["key-b"]), at: 0)
        #expect(later.map { if case .refused = $0 { true } else { false } } == true)
    }
}
