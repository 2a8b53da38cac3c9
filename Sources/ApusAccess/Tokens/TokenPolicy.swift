/// What a token has to fulfil besides its signature. All durations are in milliseconds.
package struct TokenPolicy: Hashable, Sendable {
    /// `iss` has to be this; `nil` for any.
    package var issuer: String?
    /// `aud` has to have one of these; empty for any.
    package var audience: [String]
    /// The claim with the rights.
    package var claim: String
    /// How much the clocks may differ.
    package var leeway: Int64
    /// The longest time from now to `exp`; `nil` for any.
    package var maximumAge: Int64?

    package init(
        issuer: String? = nil,
        audience: [String] = [],
        claim: String = "apus",
        leeway: Int64 = 30_000,
        maximumAge: Int64? = nil
    ) {
        self.issuer = issuer
        self.audience = audience
        self.claim = claim
        self.leeway = leeway
        self.maximumAge = maximumAge
    }

    /// Checks the claims of a token whose signature is right.
    ///
    /// - Parameter now: milliseconds since 1970, by the wall clock.
    package func check(_ claims: TokenClaims, at now: Int64) throws(AccessError) {
        guard now < claims.expires + leeway else {
            throw AccessError(.expired, "the token has expired", expired: claims.expires)
        }
        if let notBefore = claims.notBefore, now + leeway < notBefore {
            throw AccessError(.notYetValid, "the token is not valid yet: its nbf is in the future")
        }
        if let issuedAt = claims.issuedAt, now + leeway < issuedAt {
            throw AccessError(.notYetValid, "the token is not valid yet: its iat is in the future")
        }
        if let maximumAge, claims.expires - now > maximumAge + leeway {
            throw AccessError(.tooLong, "the token is valid for longer than token_max_age")
        }
        guard accepts(issuer: claims.issuer) else {
            throw AccessError(.issuer, "the token's iss is not the issuer that is set")
        }
        guard accepts(audience: claims.audience) else {
            throw AccessError(.audience, "the token's aud is not the audience that is set")
        }
    }

    func accepts(issuer its: String?) -> Bool {
        issuer.map { Self.isSame(its, $0) } ?? true
    }

    func accepts(audience its: [String]) -> Bool {
        audience.isEmpty || its.contains { its in audience.contains { Self.isSame(its, $0) } }
    }

    /// Byte for byte: Swift takes different spellings of an accent for the same.
    private static func isSame(_ lhs: String?, _ rhs: String) -> Bool {
        lhs.map { $0.utf8.elementsEqual(rhs.utf8) } ?? false
    }
}
