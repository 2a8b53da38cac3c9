import ApusAccess
import ApusProtocol

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

    private let authenticator: Authenticator
    private let now: @Sendable () -> Int64
    /// How long a client stays after its credential has ended, so that it can bring another one, in milliseconds.
    let grace: Int64
    /// What the answer to a client without a valid credential asks for (RFC 9110 section 11.6.1).
    let challenge: String

    /// - Parameter now: the wall clock, in milliseconds since 1970.
    init(
        _ policy: AccessPolicy,
        revocations: Revocations = Revocations(),
        grace: Int64 = 25_000,
        now: @escaping @Sendable () -> Int64 = { ServerClock.now.wall }
    ) {
        authenticator = Authenticator(policy, revocations: revocations)
        self.grace = grace
        self.now = now
        let schemes = [policy.keys.keys.isEmpty ? nil : "ApiKey", policy.tokens == nil ? nil : "Bearer"]
        let known = schemes.compactMap(\.self)
        // With rights for anonymous clients alone, no credential helps; the field is required all the same.
        challenge = (known.isEmpty ? ["ApiKey"] : known).map { "\($0) realm=\"apus\"" }.joined(separator: ", ")
    }

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

    // MARK: Revocations

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

    /// Drops the revocations that no token can need any more.
    func forgetExpiredRevocations() {
        let now = now()
        authenticator.withRevocations { $0.removeExpired(at: now) }
    }
}
