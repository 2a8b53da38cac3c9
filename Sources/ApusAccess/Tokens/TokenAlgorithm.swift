import JWTKit

/// The algorithms of tokens (RFC 7518 section 3, RFC 8037). `none` is not one of them.
package enum TokenAlgorithm: String, CaseIterable, Hashable, Sendable {
    case hs256 = "HS256"
    case hs384 = "HS384"
    case hs512 = "HS512"
    case rs256 = "RS256"
    case rs384 = "RS384"
    case rs512 = "RS512"
    case ps256 = "PS256"
    case ps384 = "PS384"
    case ps512 = "PS512"
    case es256 = "ES256"
    case es384 = "ES384"
    case es512 = "ES512"
    case eddsa = "EdDSA"

    /// What kind of key it needs.
    enum Family: Hashable, Sendable {
        case hmac, rsa, pss, ecdsa, eddsa
    }

    var family: Family {
        switch self {
        case .hs256, .hs384, .hs512: .hmac
        case .rs256, .rs384, .rs512: .rsa
        case .ps256, .ps384, .ps512: .pss
        case .es256, .es384, .es512: .ecdsa
        case .eddsa: .eddsa
        }
    }

    /// Whether its key is a secret that both sides have.
    package var isSymmetric: Bool { family == .hmac }

    var digest: DigestAlgorithm {
        switch self {
        case .hs256, .rs256, .ps256, .es256: .sha256
        case .hs384, .rs384, .ps384, .es384: .sha384
        case .hs512, .rs512, .ps512, .es512, .eddsa: .sha512
        }
    }

    /// The least size of a secret, in bytes: that of the digest (RFC 7518 section 3.2).
    package var minimumSecretSize: Int {
        switch self {
        case .hs512: 64
        case .hs384: 48
        default: 32
        }
    }
}
