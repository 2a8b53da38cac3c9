import NIOCore

/// What a client says who it is with: an API key, tokens, or nothing.
package struct Credential: Sendable {
    private let apiKey: String?
    private let token: ApusClient.TokenSource?
    private let supply: TokenSupply?

    /// Creates a credential. An API key takes precedence over a token.
    ///
    /// - Parameter limit: how long a call of the token's provider may take.
    package init(apiKey: String? = nil, token: ApusClient.TokenSource? = nil, limit: Duration = .seconds(10)) {
        self.apiKey = apiKey
        self.token = apiKey == nil ? token : nil
        supply =
            switch self.token?.kind {
            case .provider(let provider): TokenSupply(provider: provider, limit: limit)
            case .fixed, nil: nil
            }
    }

    /// Whether there may be another token when one is refused or expires.
    var canRenew: Bool { supply != nil }

    /// The error by which the provider said that there are no tokens any more.
    var end: ClientError? { supply?.end }

    /// The token for now; `nil` if there is none. Asks the provider, if there is one, and throws as it does.
    func currentToken() async throws(ClientError) -> String? {
        guard case .fixed(let token) = token?.kind else { return try await supply?.token() }
        guard TokenSupply.isToken(token) else { throw Self.unusable("token") }
        return token
    }

    /// The configuration of a connection with this credential.
    package func configuration() async throws(ClientError) -> WebSocketConnection.Configuration {
        var configuration = WebSocketConnection.Configuration(apiKey: apiKey)
        configuration.token = try await currentToken()
        return configuration
    }

    /// The header fields of a handshake or request.
    package func fields() async throws(ClientError) -> [(name: String, value: String)] {
        if let apiKey {
            guard Self.isField(apiKey) else { throw Self.unusable("API key") }
            return [("X-API-Key", apiKey)]
        }
        return try await currentToken().map { [("Authorization", "Bearer \($0)")] } ?? []
    }

    /// Whether a text can be the value of a header field (RFC 9110 section 5.5).
    private static func isField(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == UInt8(ascii: "\t") }
    }

    private static func unusable(_ what: String) -> ClientError {
        ClientError(.unauthorized, "the \(what) has characters in it that no \(what) can have")
    }
}

extension ApusClient.Options {
    /// The credential that the options say.
    var credential: Credential {
        Credential(apiKey: apiKey, token: token, limit: Duration(connection.connectTimeout))
    }
}
