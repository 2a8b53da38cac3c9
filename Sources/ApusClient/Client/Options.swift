public import Logging

extension ApusClient {
    /// How a client connects, and the limits of its buffers.
    public struct Options: Sendable {
        /// The API key, sent as `X-API-Key` with the handshake.
        public var apiKey: String?
        /// Where the token (JWT) comes from, sent as `Authorization: Bearer` with the handshake. Without effect if
        /// there is an API key.
        public var token: TokenSource?
        /// The subscriber's name on the server. If `nil`, the client generates one.
        public var clientID: String?
        /// Whether ``ApusClient/withConnection(to:options:isolation:_:)`` throws if the first connection attempt fails.
        /// If `false`, the closure starts anyway while the client keeps trying.
        public var requiresConnection = true
        /// How the client reconnects.
        public var reconnect = ReconnectPolicy()
        /// The maximum number of unanswered publishes, sent or waiting for a connection. Beyond it, `publish` throws
        /// `queueFull`.
        public var publishQueue = 1000
        /// The maximum size of those publishes, in bytes. A single publish may be larger.
        public var publishQueueBytes = 16 << 20
        /// How long a publish waits for its topic if the topic is missing after a reconnect.
        public var publishWait: Duration = .seconds(30)
        /// After this time without input, the client pings the server. After the same time without a response, the
        /// connection counts as lost. 0 means never.
        public var idleTimeout: Duration = .seconds(30)
        /// How long a close handshake may take.
        public var closeTimeout: Duration = .seconds(2)
        /// The handshake's additional headers and time limit, the largest message, and the limits of what is read from
        /// a socket before it is decoded. The key, token and idle timeout above replace its own.
        public var connection = WebSocketConnection.Configuration()
        /// Called for every connection made and lost, and for failed renewals of a token, on any thread. The calls for
        /// one connection are in order. The closure must return quickly.
        public var onConnectionChange: (@Sendable (ConnectionChange) -> Void)?
        /// The client logs to this: failed renewals of a token as warnings, the rest at debug level.
        public var logger = Logger(label: "apus.client", factory: { _ in SwiftLogNoOpLogHandler() })

        /// Creates default options, with an optional API key or token.
        public init(apiKey: String? = nil, token: TokenSource? = nil) {
            self.apiKey = apiKey
            self.token = token
        }
    }

    /// A change of one of the client's connections.
    public enum ConnectionChange: Sendable {
        /// The connection was made.
        case connected
        /// The connection was lost or could not be made. The next attempt starts after `retryingAfter`.
        case disconnected(ClientError, retryingAfter: Duration)
        /// The connection's token is about to expire and could not be renewed. The client tries again, until the server
        /// closes the connection.
        case renewalFailed(ClientError)
        /// The connection was lost or could not be made, and the client does not retry. Everything that depends on it
        /// fails with this error.
        case failed(ClientError)
    }

    /// When to reconnect: exponential backoff with full jitter.
    ///
    /// The n-th attempt in a row waits a random time between 0 and `initialDelay × 2ⁿ⁻¹`, at most `maxDelay`. So a
    /// thousand clients do not all reconnect at once when their server restarts. If the server says when to reconnect,
    /// the client does that instead.
    public struct ReconnectPolicy: Sendable, Hashable {
        /// The longest wait before the first attempt.
        public var initialDelay: Duration = .milliseconds(100)
        /// The longest wait before any attempt.
        public var maxDelay: Duration = .seconds(20)
        /// How many attempts in a row may fail before the client gives up; `nil` means no limit, 0 means no
        /// reconnecting.
        public var maxAttempts: Int?
        /// How long the next connection must last before attempts are counted anew. This applies after closes for
        /// overload (too slow, too much data, too many requests).
        public var stableAfter: Duration = .seconds(10)

        /// Creates the default policy.
        public init() {}

        /// A policy that never reconnects.
        public static var never: ReconnectPolicy {
            var policy = ReconnectPolicy()
            policy.maxAttempts = 0
            return policy
        }
    }
}
