/// One entry of the list of revocations.
package struct Revocation: Hashable, Sendable {
    /// Whose credentials are revoked.
    package enum Target: Hashable, Sendable {
        /// The token with this `jti`.
        case tokenID(String)
        /// All tokens with this `sub`.
        case subject(String)
        /// The API key of this id.
        case key(id: String)
    }

    /// Its number; a later one is larger.
    package let id: UInt64
    package let target: Target
    /// Tokens issued before are revoked, in milliseconds since 1970. Tokens without `iat` count as older.
    package internal(set) var issuedBefore: Int64

    package init(id: UInt64, target: Target, issuedBefore: Int64) {
        self.id = id
        self.target = target
        self.issuedBefore = issuedBefore
    }

    /// Whether it is about the credential of a client.
    package func applies(to principal: Principal) -> Bool {
        switch (target, principal.source) {
        // A key has no time at which it was issued: it is always older.
        case (.key(let id), .key(let its)): id == its
        case (.tokenID(let id), .token): principal.tokenID == id && isOlder(principal)
        case (.subject(let id), .token): principal.id == id && isOlder(principal)
        case (.key, .token), (.tokenID, .key), (.subject, .key): false
        }
    }

    private func isOlder(_ principal: Principal) -> Bool {
        principal.issuedAt.map { $0 < issuedBefore } ?? true
    }
}
