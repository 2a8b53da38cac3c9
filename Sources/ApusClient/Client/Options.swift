public import Logging

extension ApusClient {
    /// How a client connects, and the bounds of what it keeps.
    public struct Options: Sendable {
        /// Sent as `X-API-Key` with the handshake.
        public var apiKey: String?
        /// The subscriber's name at the server; made up when nil.
        public var clientID: String?
        /// Whether ``ApusClient/withConnection(to:options:isolation:_:)`` throws when the server cannot be reached at
        /// first; if not, it goes on trying while the closure runs already.
        public var requiresConnection = true
        /// How lost connections are made again.
        public var reconnect = ReconnectPolicy()
        /// The most publishes without an answer, sent or waiting for a connection; one more throws `queueFull`.
        public var publishQueue = 1000
        /// The most bytes of such publishes; one alone may be larger.
        public var publishQueueBytes = 16 << 20
        /// How long a publish waits for its topic when that is gone after a reconnect.
        public var publishWait: Duration = .seconds(30)
        /// A connection on which nothing was heard for this long is asked for a sign of life, and taken for lost when
        /// it gives none for as long again; 0 is never.
        public var idleTimeout: Duration = .seconds(30)
        /// How long a connection may take to close in good order.
        public var closeTimeout: Duration = .seconds(2)
        /// The handshake's further headers and its time limit, the largest message taken, and the bounds of what is
        /// read from a socket before it is decoded. Its key and idle timeout are those above.
        public var connection = WebSocketConnection.Configuration()
        /// Told of every connection made and lost, from any thread, in their order for each of the client's
        /// connections; it must return soon.
        public var onConnectionChange: (@Sendable (ConnectionChange) -> Void)?
        /// Written to at debug level.
        public var logger = Logger(label: "apus.client", factory: { _ in SwiftLogNoOpLogHandler() })

        /// The defaults, with a key if there is one.
        public init(apiKey: String? = nil) {
            self.apiKey = apiKey
        }
    }

    /// What became of one of the client's connections.
    public enum ConnectionChange: Sendable {
        /// It was made.
        case connected
        /// It was lost, or could not be made; the next attempt begins after this time.
        case disconnected(ClientError, retryingAfter: Duration)
        /// It was lost, or could not be made, and is not tried again: what depends on it fails with this error.
        case failed(ClientError)
    }

    /// When lost connections are made again: exponential backoff with full jitter.
    ///
    /// The n-th attempt in a row waits a random time between 0 and `initialDelay × 2ⁿ⁻¹`, at most `maxDelay`. So a
    /// thousand clients of a server that went away do not come back in waves. A server that says when to come back is
    /// obeyed instead.
    public struct ReconnectPolicy: Sendable, Hashable {
        /// The longest wait before the first attempt.
        public var initialDelay: Duration = .milliseconds(100)
        /// The longest wait before any attempt.
        public var maxDelay: Duration = .seconds(20)
        /// How many attempts in a row may fail before the client gives up; nil is never, 0 is no reconnecting at all.
        public var maxAttempts: Int?
        /// After a close that asks for patience (too slow, too much, too many) the attempts are only counted anew when
        /// the next connection has lasted this long.
        public var stableAfter: Duration = .seconds(10)

        /// The defaults.
        public init() {}

        /// Connections that are lost stay lost.
        public static var never: ReconnectPolicy {
            var policy = ReconnectPolicy()
            policy.maxAttempts = 0
            return policy
        }
    }
}
