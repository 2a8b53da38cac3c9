public import ApusProtocol
public import Logging

/// All settings of a server. Every limit has its default here, and `docs/configuration.md` describes what happens at
/// the limit.
public struct ServerConfiguration: Sendable, Equatable {
    /// The response to `POST /topics` when the topic already exists.
    public enum CreateExisting: String, Sendable, CaseIterable {
        /// Status 409.
        case conflict
        /// Status 200.
        case ok
        /// Status 201, as if the topic were new.
        case created
    }

    /// What happens to a deleted topic's subscribers.
    public enum OnDelete: String, Sendable, CaseIterable {
        /// The server notifies and unsubscribes them.
        case info
        /// The server notifies them and closes their sockets.
        case disconnect
    }

    /// The commands that create missing topics, besides `POST` and `PUT`.
    public enum CreateOn: String, Sendable, CaseIterable {
        case publish
        case subscribe
    }

    /// Whether WebSocket messages may be compressed (RFC 7692).
    public enum Compression: String, Sendable, CaseIterable {
        /// Compressed for clients that offer compression.
        case on
        case off
    }

    public enum LogFormat: String, Sendable, CaseIterable {
        case text
        case json
    }

    public var host = "127.0.0.1"
    /// The port to listen at; 0 means any free port.
    public var port = 8080
    /// The addresses to listen at. If empty, the server listens at ``host`` and ``port``.
    public var listen: [ListenAddress] = []
    /// The permissions of Unix sockets' files.
    public var socketMode = 0o660
    /// The prefix of all paths, without a slash at its end; empty means no prefix.
    public var basePath = ""
    /// The number of event loops; 0 means one per core.
    public var threads = 0
    public var logLevel = Logger.Level.info
    public var logFormat = LogFormat.text
    /// How many messages a subscription may lag behind.
    public var queue = 1000
    /// How many messages a topic keeps for replay.
    public var history = 100
    public var overflow = OverflowPolicy.dropOldest
    public var throttleTimeout = Duration.seconds(30)
    /// The time between pings; 0 means no pings.
    public var pingInterval = Duration.seconds(25)
    /// How long to wait for a pong; 0 means that a missing pong does not close the connection.
    public var pongTimeout = Duration.seconds(20)
    /// The time between heartbeats; 0 means no heartbeats.
    public var heartbeat = Duration.seconds(30)
    /// The largest message, in bytes.
    public var maxMessage = 1 << 20
    /// How deep the JSON of a command may nest.
    public var maxDepth = 128
    /// The longest client ID, in bytes.
    public var maxClientID = 1024
    /// How long a new connection may take to send its first request.
    public var handshakeTimeout = Duration.seconds(10)
    public var authTimeout = Duration.seconds(10)
    /// How long a closing handshake may take.
    public var closeTimeout = Duration.seconds(30)
    /// How long delivery may continue after the signal to stop.
    public var drainTimeout = Duration.seconds(10)
    /// The API keys that clients may use. If empty, everybody has access.
    public var apiKeys: [String] = []
    /// How many connections may be open: WebSockets, event streams and waiting requests.
    public var maxConnections = 100_000
    public var maxTopics = 100_000
    /// The maximum number of subscriptions per connection.
    public var maxSubscriptions = 10_000
    /// How many topics the patterns of one connection may match.
    public var maxMatches = 100_000
    /// The longest queue, in messages, that a subscription may ask for.
    public var maxQueue = 100_000
    /// How many messages one publish may contain.
    public var maxBatch = 10_000
    /// How many message ids a topic with a dedupe window remembers.
    public var maxDedupe = 100_000
    /// The maximum number of metric series.
    public var maxSeries = 10_000
    /// How many clients per second should reconnect after a shutdown.
    public var reconnectRate = 1000
    /// How long an event loop may be silent before `/livez` fails.
    public var liveTimeout = Duration.seconds(10)
    /// How long the server must be quiet before it frees memory; 0 means never.
    public var releaseMemoryAfter = Duration.seconds(10)
    /// How many bytes of messages a topic keeps.
    public var topicBytes = 256 << 20
    /// How many deliveries of a topic a loop may be behind before publishers on other loops wait.
    public var loopLag = 8192
    /// How many bytes of a topic's messages a loop may be behind before publishers on other loops wait.
    public var loopLagBytes = 1 << 20
    /// How long an HTTP connection may be idle; 0 means forever.
    ///
    /// The default is longer than the 60 s for which proxies keep a connection. If the server closed first, a request
    /// could already be on its way.
    public var idleTimeout = Duration.seconds(75)
    public var compression = Compression.on
    /// Events smaller than this, in bytes, are not compressed.
    public var compressionMinSize = 512
    /// From 1, the fastest, to 9, the smallest.
    public var compressionLevel = 6
    public var createExisting = CreateExisting.conflict
    public var onDelete = OnDelete.info
    /// Which commands create missing topics. If empty, only `POST` and `PUT` do.
    public var createOn: Set<CreateOn> = []
    /// Topics that the server creates at startup if they do not exist, and their settings.
    public var declaredTopics: [TopicDeclaration] = []

    public init() {}
}
