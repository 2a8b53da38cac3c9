/// What a request or a command brought to say who it is from.
///
/// A part that is there, even if it is empty, is a credential: a wrong one is refused, never taken for none.
package struct Credentials: Hashable, Sendable {
    /// The values of `X-API-Key`.
    package var keyHeaders: [String]
    /// The values of `Authorization`. Schemes other than `Bearer` belong to someone else, such as a proxy.
    package var authorization: [String]
    /// `?api_key=`, or `api_key` of an `auth` message.
    package var key: String?
    /// `?token=`, or `token` of an `auth` message.
    package var token: String?
    /// The subprotocols that a WebSocket client offers; `bearer.T` among them is a token.
    package var subprotocols: [String]
    /// The common name of the client certificate that the connection began with, if it was verified. It counts when the
    /// client brings nothing else.
    package var certificateName: String?

    package init(
        keyHeaders: [String] = [],
        authorization: [String] = [],
        key: String? = nil,
        token: String? = nil,
        subprotocols: [String] = [],
        certificateName: String? = nil
    ) {
        self.keyHeaders = keyHeaders
        self.authorization = authorization
        self.key = key
        self.token = token
        self.subprotocols = subprotocols
        self.certificateName = certificateName
    }

    /// One credential, of the kind that its place says.
    enum Presented: Hashable {
        case key(String)
        case token(String)
        /// In `Authorization: Bearer`, where both may be.
        case either(String)
        /// The name in a certificate that was verified.
        case certificate(String)
        /// A header that may come once came several times with different values.
        case contradictory
    }

    /// The credential that counts: headers go before the address, and the first that is there decides. The certificate
    /// is that of the connection, so everything that the request itself brings goes before it.
    var presented: Presented? {
        if let value = keyHeaders.first {
            return keyHeaders.allSatisfy { $0 == value } ? .key(value) : .contradictory
        }
        let bearers = authorization.compactMap(Self.bearer)
        if let value = bearers.first {
            return bearers.allSatisfy { $0 == value } ? .either(value) : .contradictory
        }
        if let key { return .key(key) }
        if let token { return .token(token) }
        let offered = subprotocols.filter { $0.utf8.starts(with: Self.subprotocolPrefix.utf8) }
        if let value = offered.first {
            guard offered.count == 1 else { return .contradictory }
            return .token(Self.text(value.utf8.dropFirst(Self.subprotocolPrefix.utf8.count)))
        }
        return certificateName.map { .certificate($0) }
    }

    private static let subprotocolPrefix = "bearer."

    /// What follows the scheme `Bearer`, which may be written in any case (RFC 9110 section 11.1).
    ///
    /// Looks at bytes: as a `Character`, a space with an accent behind it would be no space, and the credential none.
    private static func bearer(_ value: String) -> String? {
        let value = value.utf8.drop(while: isBlank)
        let scheme = value.prefix { !isBlank($0) }
        guard text(scheme).lowercased() == "bearer" else { return nil }
        var rest = value.dropFirst(scheme.count).drop(while: isBlank)
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return text(rest)
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }

    private static func text(_ bytes: Substring.UTF8View) -> String { String(Substring(bytes)) }
}
