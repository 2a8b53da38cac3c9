extension ApusClient {
    /// Where a client's tokens come from: one token for good, or a function that is asked for one.
    ///
    /// Its description shows no token.
    public struct TokenSource: Sendable, CustomStringConvertible, CustomReflectable {
        /// Returns a token.
        ///
        /// The client calls it for each connection, and again when the server says that the token expires; calls do not
        /// overlap. A call that takes longer than ``WebSocketConnection/Configuration/connectTimeout`` is cancelled. If
        /// the call fails, the client tries again later, except after a ``ClientError`` with the code `unauthorized`:
        /// that error ends everything that needs a token.
        public typealias Provider = @Sendable () async throws -> String

        enum Kind {
            case fixed(String)
            case provider(Provider)
        }

        let kind: Kind

        /// One token for good. When it ends, the client ends.
        public static func fixed(_ token: String) -> TokenSource {
            TokenSource(kind: .fixed(token))
        }

        /// A function that returns a token.
        public static func provider(_ provider: @escaping Provider) -> TokenSource {
            TokenSource(kind: .provider(provider))
        }

        public var description: String {
            switch kind {
            case .fixed: "a token"
            case .provider: "a token provider"
            }
        }

        public var customMirror: Mirror { Mirror(self, children: [:]) }
    }
}
