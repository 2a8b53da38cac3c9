import ApusAccess
import ApusTesting
import Testing

/// What becomes of clients that another policy admitted.
struct PolicyRenewalTests {
    private static let token = forged(claims: #"{"exp":2000,"sub":"ann","iss":"i","aud":["x","y"]}"#)

    private static func policy(
        _ keys: [TokenKey],
        remote: RemoteTokenKeys? = nil,
        issuer: String? = nil,
        audience: [String] = []
    ) throws -> AccessPolicy {
        AccessPolicy(
            keys: .empty,
            tokens: try TokenVerifier(
                keys: keys,
                remote: remote,
                policy: TokenPolicy(issuer: issuer, audience: audience)
            ),
            anonymous: nil
        )
    }

    private static func principal(of text: String, _ policy: AccessPolicy) async throws -> Principal {
        let result = await policy.authenticate(Credentials(token: text), revocations: Revocations(), at: 1_000_000)
        guard case .principal(let principal) = result else { throw NotAdmitted(result: result) }
        return principal
    }

    private struct NotAdmitted: Error {
        let result: Authentication
    }

    @Test func `A token stays as long as its key, its issuer and its audience do`() async throws {
        let key = try await TestKeys.verifying(.hs256)
        let principal = try await Self.principal(of: Self.token, Self.policy([key]))
        let again = try await TestKeys.verifying(.hs256)
        #expect(try Self.policy([again]).renewal(of: principal) == principal)
        #expect(try Self.policy([again], issuer: "i", audience: ["y"]).renewal(of: principal) == principal)
        #expect(try Self.policy([again], issuer: "j").renewal(of: principal) == nil)
        #expect(try Self.policy([again], audience: ["z"]).renewal(of: principal) == nil)
        #expect(AccessPolicy.open.renewal(of: principal) == nil)
    }

    @Test func `A client with a certificate stays as long as there is a key of that id, whatever its secret`() throws {
        func policy(_ secret: String?, _ rules: RuleList = .all) throws -> AccessPolicy {
            let keys = secret.map { [APIKey(id: "device", digest: KeyDigest(of: $0), rules: rules)] } ?? []
            return AccessPolicy(keys: try KeyRing(keys), tokens: nil, anonymous: nil)
        }
        guard
            case .principal(let principal)? = try policy("one").authenticateAtOnce(
                Credentials(certificateName: "device"),
                revocations: Revocations(),
                at: 0
            )
        else { throw AccessError(.unknownKey, "is not admitted") }
        #expect(try policy("two").renewal(of: principal) == principal)
        #expect(try policy("two", .none).renewal(of: principal)?.rights == Rights.none)
        #expect(try policy(nil).renewal(of: principal) == nil)
    }

    @Test func `A token goes with its key, even if the new one has the same name`() async throws {
        let key = try await TokenKey(kid: "one", algorithm: .hs256, secret: Array(repeating: 1, count: 32))
        let other = try await TokenKey(kid: "one", algorithm: .hs256, secret: Array(repeating: 2, count: 32))
        let token = try key.sign(claims: #"{"exp":2000,"sub":"ann"}"#)
        let principal = try await Self.principal(of: token, Self.policy([key]))
        #expect(try Self.policy([other]).renewal(of: principal) == nil)
        #expect(try Self.policy([other, key]).renewal(of: principal) == principal)
    }

    @Test func `A token verified by a key from an address stays as long as the address does`() async throws {
        let set = #"{"keys":[\#(try TestKeys.jwk(.es256, kid: "a"))]}"#
        func remote(_ address: String) -> RemoteTokenKeys {
            RemoteTokenKeys(address: address, now: { 0 }, fetcher: { _ in Array(set.utf8) })
        }
        let token = try await TestKeys.signing(.es256, kid: "a").sign(claims: #"{"exp":2000,"sub":"ann"}"#)
        let principal = try await Self.principal(of: token, Self.policy([], remote: remote("https://a.example/")))
        #expect(try Self.policy([], remote: remote("https://a.example/")).renewal(of: principal) == principal)
        #expect(try Self.policy([], remote: remote("https://b.example/")).renewal(of: principal) == nil)
        #expect(try Self.policy([]).renewal(of: principal) == nil)
    }

    @Test func `An API key stays with the rights and the end that it has now`() throws {
        func ring(_ secret: String, _ rules: RuleList, expires: Int64? = nil) throws -> AccessPolicy {
            let key = APIKey(id: "a", digest: KeyDigest(of: secret), rules: rules, expires: expires)
            return AccessPolicy(keys: try KeyRing([key]), tokens: nil, anonymous: nil)
        }
        let principal = Principal(APIKey(id: "a", digest: KeyDigest(of: "s"), rules: .all))
        let narrowed = try #require(try ring("s", .none, expires: 5).renewal(of: principal))
        #expect(narrowed.rights == .none && narrowed.expires == 5)
        #expect(try ring("s", .all).renewal(of: principal) == principal)
        #expect(try ring("other", .all).renewal(of: principal) == nil)
    }

    @Test func `Revocations are never kept for a shorter time than before`() throws {
        for (old, next, kept) in [
            (1000, 2000, 2000), (2000, 1000, 2000), (nil, 1000, nil), (1000, nil, nil),
        ] as [(Int64?, Int64?, Int64?)] {
            var revocations = Revocations(lifetime: old)
            revocations.keepAlso(for: next)
            #expect(revocations.lifetime == kept)
        }
    }
}
