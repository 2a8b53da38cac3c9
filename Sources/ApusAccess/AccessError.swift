/// Why a credential is refused, or why a file of keys cannot be used.
///
/// The reason is a clause for logs and for the owner of the credential. It never contains a token, a key or a secret,
/// nor anything that an unverified token claims.
package struct AccessError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of error.
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Base: String {
            case malformed, algorithm, header, unknownKey, signature, claims, expired, notYetValid, issuer, audience
            case tooLong, revoked, mistyped, file, full
        }

        private let base: Base

        /// The credential does not have the form of one.
        package static let malformed = Code(base: .malformed)
        /// The token's algorithm is not one that its key is for.
        package static let algorithm = Code(base: .algorithm)
        /// The token's header asks for something that is not done: `crit`, or a key from elsewhere.
        package static let header = Code(base: .header)
        /// There is no such key, or no longer.
        package static let unknownKey = Code(base: .unknownKey)
        package static let signature = Code(base: .signature)
        /// A claim is missing or is not of its type.
        package static let claims = Code(base: .claims)
        package static let expired = Code(base: .expired)
        package static let notYetValid = Code(base: .notYetValid)
        package static let issuer = Code(base: .issuer)
        package static let audience = Code(base: .audience)
        /// The token is valid for longer than a token may be.
        package static let tooLong = Code(base: .tooLong)
        package static let revoked = Code(base: .revoked)
        /// The checksum of an API key is wrong, so it was mistyped or cut.
        package static let mistyped = Code(base: .mistyped)
        /// A file, or a part of the configuration, cannot be used.
        package static let file = Code(base: .file)
        /// A bound is reached.
        package static let full = Code(base: .full)

        package var description: String { base.rawValue }
    }

    package let code: Code
    /// One clause without a full stop.
    package let reason: String

    /// When a credential that has expired did so, in milliseconds since 1970; `nil` for any other error.
    package let expired: Int64?

    package init(_ code: Code, _ reason: String, expired: Int64? = nil) {
        self.code = code
        self.reason = reason
        self.expired = expired
    }

    package var description: String { reason }
}
