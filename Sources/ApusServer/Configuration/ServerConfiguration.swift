public import ApusProtocol
public import Logging

/// Everything a server can be told. Every limit has its default here, and `docs/configuration.md` says what happens at
/// it.
public struct ServerConfiguration: Sendable, Equatable {
    /// What `POST /topics` answers when the topic is there already.
    public enum CreateExisting: String, Sendable, CaseIterable {
        /// 409.
        case conflict
        /// 200.
        case ok
        /// 201, as if it were new.
        case created
    }

    /// What becomes of a deleted topic's subscribers.
    public enum OnDelete: String, Sendable, CaseIterable {
        /// They are told and unsubscribed.
        case info
        /// They are told, and their sockets closed.
        case disconnect
    }

    /// What makes a topic that is not there, besides `POST` and `PUT`.
    public enum CreateOn: String, Sendable, CaseIterable {
        case publish
        case subscribe
    }

    /// Whether WebSocket messages may be compressed (RFC 7692).
    public enum Compression: String, Sendable, CaseIterable {
        /// For clients that offer it.
        case on
        case off
    }

    public enum LogFormat: String, Sendable, CaseIterable {
        case text
        case json
    }

    public var host = "127.0.0.1"
    /// 0: any free port.
    public var port = 8080
    /// Where to listen; where there is none, at ``host`` and ``port``.
    public var listen: [ListenAddress] = []
    /// The permissions of Unix sockets' files.
    public var socketMode = 0o660
    /// The path that everything is below, without a slash at its end; empty: none.
    public var basePath = ""
    /// How many event loops; 0: one for each core.
    public var threads = 0
    public var logLevel = Logger.Level.info
    public var logFormat = LogFormat.text
    /// How many messages a subscription may lag behind.
    public var queue = 1000
    /// How many messages a topic keeps for replay.
    public var history = 100
    public var overflow = OverflowPolicy.dropOldest
    public var throttleTimeout = Duration.seconds(30)
    /// 0: no pings.
    public var pingInterval = Duration.seconds(25)
    /// 0: a missing pong is no reason to close.
    public var pongTimeout = Duration.seconds(20)
    /// 0: no heartbeats.
    public var heartbeat = Duration.seconds(30)
    /// In bytes.
    public var maxMessage = 1 << 20
    /// How deep the JSON of a command may nest.
    public var maxDepth = 128
    /// In bytes.
    public var maxClientID = 1024
    /// How long a new connection may take until its first request is there.
    public var handshakeTimeout = Duration.seconds(10)
    public var authTimeout = Duration.seconds(10)
    /// How long a closing handshake may take.
    public var closeTimeout = Duration.seconds(30)
    /// How long delivery may go on after a signal to stop.
    public var drainTimeout = Duration.seconds(10)
    /// None: the server is open to everybody.
    public var apiKeys: [String] = []
    /// How many WebSocket connections may be open.
    public var maxConnections = 100_000
    public var maxTopics = 100_000
    /// Per connection.
    public var maxSubscriptions = 10_000
    /// How many topics the patterns of one connection may match.
    public var maxMatches = 100_000
    /// The longest queue a subscription may ask for.
    public var maxQueue = 100_000
    /// How many messages one publish may have.
    public var maxBatch = 10_000
    /// How many message ids a topic with a dedupe window remembers.
    public var maxDedupe = 100_000
    /// How many series of metrics there may be.
    public var maxSeries = 10_000
    /// How many clients a second are asked to come back after a shutdown.
    public var reconnectRate = 1000
    /// How long an event loop may give no sign of life before `/livez` says so.
    public var liveTimeout = Duration.seconds(10)
    /// How long the server has to be quiet before it gives memory back; 0: never.
    public var releaseMemoryAfter = Duration.seconds(10)
    /// How many bytes of messages a topic keeps at the most.
    public var topicBytes = 256 << 20
    /// How many deliveries of a topic a loop may be behind before its publishers on other loops wait.
    public var loopLag = 8192
    /// How many bytes of a topic's messages a loop may be behind before its publishers on other loops wait.
    public var loopLagBytes = 1 << 20
    /// How long an HTTP connection may be idle; 0: for ever.
    ///
    /// Longer than the 60 s that proxies keep one: where the server is the first to close, a request may just be on its
    /// way.
    public var idleTimeout = Duration.seconds(75)
    public var compression = Compression.on
    /// Events smaller than this, in bytes, are not compressed.
    public var compressionMinSize = 512
    /// 1, the fastest, to 9, the smallest.
    public var compressionLevel = 6
    public var createExisting = CreateExisting.conflict
    public var onDelete = OnDelete.info
    /// Empty: topics are made by `POST` and `PUT` only.
    public var createOn: Set<CreateOn> = []
    /// Topics that are made at start where they are not there, and get these settings.
    public var declaredTopics: [TopicDeclaration] = []

    public init() {}
}
