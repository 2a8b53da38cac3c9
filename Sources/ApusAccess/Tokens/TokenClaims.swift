package import ApusProtocol

/// The claims of a token that Apus reads (RFC 7519 section 4.1). All others are ignored.
package struct TokenClaims: Sendable {
    /// The longest `sub` and `jti`, in bytes.
    package static let maximumNameSize = 256

    package let subject: String?
    package let tokenID: String?
    package let issuer: String?
    package let audience: [String]
    /// Milliseconds since 1970, like the other times.
    package let expires: Int64
    package let notBefore: Int64?
    package let issuedAt: Int64?
    package let rules: RuleList

    /// - Parameters:
    ///   - claims: the token's payload.
    ///   - claim: the name of the claim with the rights.
    /// - Throws: if `exp` is missing or a claim is not of its type.
    package init(_ claims: JSONValue, rightsIn claim: String) throws(AccessError) {
        subject = try Self.text("sub", in: claims, limit: Self.maximumNameSize)
        tokenID = try Self.text("jti", in: claims, limit: Self.maximumNameSize)
        issuer = try Self.text("iss", in: claims, limit: CompactToken.maximumSize)
        audience = try Self.audience(claims["aud"])
        guard let expires = try Self.time("exp", in: claims) else {
            throw AccessError(.claims, "the token has no exp, so it would never end")
        }
        self.expires = expires
        notBefore = try Self.time("nbf", in: claims)
        issuedAt = try Self.time("iat", in: claims)
        rules = claims[claim].map { RuleList($0) } ?? .none
    }

    private static func text(_ name: String, in claims: JSONValue, limit: Int) throws(AccessError) -> String? {
        switch claims[name] {
        case nil: return nil
        case .string(let text) where text.utf8.count <= limit: return text
        default: throw AccessError(.claims, "the token's \(name) is not a text of at most \(limit) bytes")
        }
    }

    private static func audience(_ value: JSONValue?) throws(AccessError) -> [String] {
        switch value {
        case nil: return []
        case .string(let text): return [text]
        case .array(let values):
            let texts = values.compactMap(\.string)
            guard texts.count == values.count else { fallthrough }
            return texts
        default: throw AccessError(.claims, "the token's aud is neither a text nor a list of texts")
        }
    }

    /// Seconds since 1970 as a JSON number, with or without a fraction, up to the year 9999.
    private static func time(_ name: String, in claims: JSONValue) throws(AccessError) -> Int64? {
        guard let value = claims[name] else { return nil }
        guard case .number(let text) = value, let seconds = Double(text), (0...253_402_300_799).contains(seconds) else {
            throw AccessError(.claims, "the token's \(name) is not a number of seconds since 1970")
        }
        return Int64(seconds * 1000)
    }
}
