/// Verifies tokens with the keys of the configuration and, if there are any, of a remote JWK set.
package struct TokenVerifier: Sendable {
    /// The most keys of the configuration, those of a file of JWKs included.
    package static let maximumKeys = 64

    package let keys: [TokenKey]
    package let remote: RemoteTokenKeys?
    package let policy: TokenPolicy

    package init(keys: [TokenKey], remote: RemoteTokenKeys? = nil, policy: TokenPolicy) throws(AccessError) {
        guard keys.count <= Self.maximumKeys else {
            throw AccessError(.full, "there are more than \(Self.maximumKeys) keys for tokens")
        }
        self.keys = keys
        self.remote = remote
        self.policy = policy
    }

    /// Verifies a token, and fetches the remote keys before if they are due or the token's is not among them.
    ///
    /// - Parameter now: milliseconds since 1970, by the wall clock.
    package func verify(_ text: String, at now: Int64) async throws(AccessError) -> Principal {
        let token = try CompactToken(text)
        guard let remote else { return try verify(token, with: keys, at: now) }
        // What is certain to be refused fetches nothing.
        let reference = try token.checkedHeader()
        var all = keys + (await remote.keys())
        if let kid = reference.kid, !all.contains(where: { $0.kid == kid }) {
            all = keys + (await remote.keys(missing: kid))
        }
        return try verify(token, with: all, at: now)
    }

    /// Verifies a token at once; `nil` if there are remote keys, which may have to be fetched.
    package func verifyAtOnce(_ text: String, at now: Int64) throws(AccessError) -> Principal? {
        guard remote == nil else { return nil }
        return try verify(CompactToken(text), with: keys, at: now)
    }

    /// The signature first: only who can sign is told what is wrong with the claims.
    private func verify(_ token: CompactToken, with keys: [TokenKey], at now: Int64) throws(AccessError) -> Principal {
        let reference = try token.checkedHeader()
        let candidates = Self.candidates(for: reference.kid, in: keys)
        guard !candidates.isEmpty else { throw AccessError(.unknownKey, "there is no such key for tokens") }
        let suitable = candidates.filter { $0.algorithm == reference.algorithm }
        guard !suitable.isEmpty else {
            throw AccessError(.algorithm, "the token's algorithm is not the one of its key")
        }
        guard let key = suitable.first(where: { $0.verifies(token.signature, of: token.signed) }) else {
            throw AccessError(.signature, "the token's signature is wrong")
        }
        let claims = try TokenClaims(token.claims, rightsIn: policy.claim)
        try policy.check(claims, at: now)
        let isLocal = self.keys.contains { $0.fingerprint == key.fingerprint }
        let proof = TokenProof(
            key: key.fingerprint,
            address: isLocal ? nil : remote?.address,
            issuer: claims.issuer,
            audience: claims.audience
        )
        return Principal(claims, kid: key.kid, proof: proof)
    }

    /// Whether a token that another verifier accepted would still have a key, an issuer and an audience here.
    ///
    /// Keys from an address are not compared one by one: who publishes the set decides about them, and takes one out
    /// long before the last token that it signed has expired.
    func accepts(_ proof: TokenProof) -> Bool {
        guard policy.accepts(issuer: proof.issuer), policy.accepts(audience: proof.audience) else { return false }
        if keys.contains(where: { $0.fingerprint == proof.key }) { return true }
        return proof.address != nil && proof.address == remote?.address
    }

    /// The keys of that name, or else those without a name. A token that names no key may be signed with any.
    private static func candidates(for kid: String?, in keys: [TokenKey]) -> [TokenKey] {
        guard let kid else { return keys }
        let named = keys.filter { $0.kid == kid }
        return named.isEmpty ? keys.filter { $0.kid == nil } : named
    }
}

/// What a token was accepted by.
package struct TokenProof: Hashable, Sendable {
    /// The fingerprint of the key that verified it.
    let key: KeyDigest
    /// Where that key came from; `nil` for a key of the configuration.
    let address: String?
    /// The token's `iss`.
    let issuer: String?
    /// The token's `aud`.
    let audience: [String]

    package init(key: KeyDigest, address: String? = nil, issuer: String? = nil, audience: [String] = []) {
        self.key = key
        self.address = address
        self.issuer = issuer
        self.audience = audience
    }
}
