/// Who a client is, by a credential that was accepted, and what it may do.
package struct Principal: Hashable, Sendable {
    /// Which kind of credential it came with.
    package enum Source: Hashable, Sendable {
        /// An API key of that id, or a client certificate that names it.
        case key(id: String)
        /// A token, verified with the key of that `kid`.
        case token(kid: String?)
    }

    /// What a credential was accepted by, to compare with another policy.
    enum Proof: Hashable, Sendable {
        /// An API key with this digest.
        case key(KeyDigest)
        /// A client certificate whose common name is the id of the key.
        case certificate
        case token(TokenProof)
    }

    package let source: Source
    let proof: Proof
    /// The token's `sub`, or the id of the API key; `nil` for a token without `sub`.
    package let id: String?
    /// The token's `jti`.
    package let tokenID: String?
    /// The token's `iat`, in milliseconds since 1970.
    package let issuedAt: Int64?
    /// When the credential ends, in milliseconds since 1970; `nil` for a key that does not.
    package let expires: Int64?
    package let rights: Rights
    /// What is wrong with the rules of a token: for who issued it.
    package let warnings: [String]

    /// The holder of an API key.
    package init(_ key: APIKey) {
        self.init(key, proof: .key(key.digest))
    }

    /// The holder of a client certificate that names an API key.
    package init(certified key: APIKey) {
        self.init(key, proof: .certificate)
    }

    private init(_ key: APIKey, proof: Proof) {
        source = .key(id: key.id)
        self.proof = proof
        id = key.id
        tokenID = nil
        issuedAt = nil
        expires = key.expires
        rights = key.rights
        warnings = key.rules.warnings
    }

    /// The holder of a token that was verified.
    package init(_ claims: TokenClaims, kid: String?, proof: TokenProof) {
        source = .token(kid: kid)
        self.proof = .token(proof)
        id = claims.subject
        tokenID = claims.tokenID
        issuedAt = claims.issuedAt
        expires = claims.expires
        rights = Rights(claims.rules, subject: claims.subject)
        warnings = claims.rules.warnings
    }
}
