import ApusAccess
import ApusProtocol
import NIOConcurrencyHelpers
import Synchronization

/// Decides who a client is and what it may do. One for the whole server, used on all loops.
final class AccessControl: Sendable {
    /// How a client stands after it brought its credentials, or none.
    enum Admission: Equatable, Sendable {
        /// The server is open to everybody.
        case open
        case admitted(ClientAccess)
        /// It brought no credential, and needs one.
        case anonymous
        case refused(AccessError)

        /// What the client may do; `nil` when it may not even connect.
        var access: ClientAccess? {
            switch self {
            case .open: .unlimited
            case .admitted(let access): access
            case .anonymous, .refused: nil
            }
        }
    }

    /// How an admitted client stands after the revocations changed.
    enum Standing: Equatable, Sendable {
        case unchanged
        case ended(Disconnect)
    }

    /// What follows from the configuration besides the policy.
    private struct Terms {
        var grace: Int64
        var challenge: String
    }

    private let authenticator: Authenticator
    private let terms: NIOLockedValueBox<Terms>
    private let number = Atomic<UInt64>(1)
    private let now: @Sendable () -> Int64

    /// - Parameter now: the wall clock, in milliseconds since 1970.
    init(
        _ policy: AccessPolicy,
        revocations: Revocations = Revocations(),
        grace: Int64 = 25_000,
        now: @escaping @Sendable () -> Int64 = { ServerClock.now.wall }
    ) {
        authenticator = Authenticator(policy, revocations: revocations)
        terms = NIOLockedValueBox(Terms(grace: grace, challenge: Self.challenge(policy)))
        self.now = now
    }

    private static func challenge(_ policy: AccessPolicy) -> String {
        let schemes = [policy.keys.keys.isEmpty ? nil : "ApiKey", policy.tokens == nil ? nil : "Bearer"]
        let known = schemes.compactMap(\.self)
        // With rights for anonymous clients alone, no credential helps; the field is required all the same.
        return (known.isEmpty ? ["ApiKey"] : known).map { "\($0) realm=\"apus\"" }.joined(separator: ", ")
    }

    /// How long a client stays after its credential has ended, so that it can bring another one, in milliseconds.
    var grace: Int64 { terms.withLockedValue { $0.grace } }

    /// What the answer to a client without a valid credential asks for (RFC 9110 section 11.6.1).
    var challenge: String { terms.withLockedValue { $0.challenge } }

    /// The policy in force.
    var policy: AccessPolicy { authenticator.policy }

    /// Whether everybody may do everything.
    var isOpen: Bool { authenticator.policy.isOpen }

    // MARK: Clients

    /// Checks credentials; `nil` if keys may have to be fetched for them first.
    func admitAtOnce(_ credentials: Credentials) -> Admission? {
        authenticator.authenticateAtOnce(credentials, at: now()).map(admission)
    }

    /// Checks credentials, and fetches keys for them if necessary.
    func admit(_ credentials: Credentials) async -> Admission {
        admission(await authenticator.authenticate(credentials, at: now()))
    }

    private func admission(_ authentication: Authentication) -> Admission {
        switch authentication {
        case .principal(let principal): .admitted(ClientAccess(principal))
        case .refused(let error): .refused(error)
        case .anonymous: anonymous
        }
    }

    private var anonymous: Admission {
        let policy = authenticator.policy
        guard !policy.isOpen else { return .open }
        return policy.anonymous.map { .admitted(ClientAccess(rights: $0, principal: nil)) } ?? .anonymous
    }

    func standing(of access: ClientAccess) -> Standing {
        guard let principal = access.principal else { return .unchanged }
        return authenticator.withRevocations { $0.isRevoked(principal) } ? .ended(.revoked) : .unchanged
    }

    /// How long until the end of a credential plus the grace, in milliseconds; `nil` when it does not end.
    func remaining(_ access: ClientAccess) -> Int64? {
        access.expires.map { $0 + grace - now() }
    }

    /// How long until a client should be told to renew its credential, in milliseconds.
    func untilWarning(_ access: ClientAccess) -> Int64? {
        access.expires.map { $0 - ClientAccess.warningTime - now() }
    }

    /// How long a credential is still valid, in milliseconds.
    func validity(_ access: ClientAccess) -> Int64? {
        access.expires.map { max($0 - now(), 0) }
    }

    // MARK: Another policy

    /// The number of the policy in force: 1, 2, 3, …
    var policyNumber: UInt64 { number.load(ordering: .acquiring) }

    /// Puts another policy in force. Clients that are connected have to be reconsidered.
    ///
    /// - Returns: what became of the keys that were accepted so far, by id.
    func replacePolicy(
        _ policy: AccessPolicy,
        grace: Int64,
        revocationLifetime: Int64?
    ) -> [String: KeyRing.Change] {
        authenticator.withRevocations { $0.keepAlso(for: revocationLifetime) }
        terms.withLockedValue { $0 = Terms(grace: grace, challenge: Self.challenge(policy)) }
        let changes = authenticator.replacePolicy(policy)
        // Who sees the new number finds the new policy.
        number.add(1, ordering: .releasing)
        return changes
    }

    /// How a client stands by the policy in force, whichever policy admitted it.
    func reconsider(_ principal: Principal?) -> Admission {
        guard let principal else { return anonymous }
        guard let renewed = authenticator.policy.renewal(of: principal) else {
            return .refused(AccessError(.revoked, "the credential was revoked"))
        }
        return .admitted(ClientAccess(renewed))
    }

    // MARK: Revocations

    /// Whether a credential is revoked.
    func isRevoked(_ principal: Principal) -> Bool {
        authenticator.withRevocations { $0.isRevoked(principal) }
    }

    func revoke(_ target: Revocation.Target, issuedBefore: Int64?) throws(AccessError) -> Revocation {
        let now = now()
        let result = authenticator.withRevocations { revocations in
            Result { () throws(AccessError) in try revocations.revoke(target, issuedBefore: issuedBefore, at: now) }
        }
        return try result.get()
    }

    func removeRevocation(id: UInt64) -> Revocation? {
        authenticator.withRevocations { $0.remove(id: id) }
    }

    func revocations(after id: UInt64, limit: Int) -> Revocations.Page {
        authenticator.withRevocations { $0.page(after: id, limit: limit) }
    }

    /// Reads or changes the list as a whole.
    func withRevocations<Result>(_ body: (inout Revocations) -> Result) -> Result {
        authenticator.withRevocations(body)
    }

    /// Drops the revocations that no token can need any more.
    func forgetExpiredRevocations() {
        let now = now()
        authenticator.withRevocations { $0.removeExpired(at: now) }
    }
}
