import ApusBroker
import Logging

extension Setting {
    /// All settings, in the order of `config print`. The members of a group are adjacent.
    package static let all: [Setting] = listening + messages + times + limits + topics

    /// The setting with a key.
    static func named(_ key: String) -> Setting? { byKey[key] }

    /// Whether a file has a mapping under this key.
    static func isGroup(_ key: String) -> Bool { groups.contains(key) }

    private static let byKey = Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0) })
    private static let groups = Set(all.compactMap { $0.group })

    /// The part of the key before the dot, if there is one.
    var group: String? {
        key.firstIndex(of: ".").map { String(key[..<$0]) }
    }

    /// The part of the key after the dot.
    var name: String {
        key.firstIndex(of: ".").map { String(key[key.index(after: $0)...]) } ?? key
    }

    private static let listening: [Setting] = [
        .one("host", \.host, .host, aliases: ["PUBSUB_HOST", "HOST"], "Address to listen on."),
        .one(
            "port",
            \.port,
            .port,
            aliases: ["PUBSUB_PORT", "PORT"],
            "Port to listen on; 0 takes a free one."
        ),
        .addresses(
            "listen",
            \.listen,
            "Address to listen on in place of host and port, such as unix:/run/apus.sock; may be given several times."
        ),
        .one("socket_mode", \.socketMode, .mode, "Permissions of a Unix socket's file."),
        .one("base_path", \.basePath, .basePath, "Path that everything is below, such as /apus."),
        .one("threads", \.threads, .whole(0...1024), "Event loops; 0 is one for each core."),
        .one(
            "log_level",
            \.logLevel,
            .word(synonyms: ["warn": .warning]),
            aliases: ["PUBSUB_LOG_LEVEL", "LOG_LEVEL"],
            "What to log: trace, debug, info, notice, warning, error or critical."
        ),
        .one("log_format", \.logFormat, .word(), "How to log: text or json, one record a line, on standard error."),
        .keys(
            "api_keys",
            \.apiKeys,
            flag: "api-key",
            "An API key, any of which opens the server; may be given several times."
        ),
    ]

    private static let messages: [Setting] = [
        .one(
            "history",
            \.history,
            .whole(0...100_000_000),
            aliases: ["PUBSUB_HISTORY_SIZE", "MAX_MESSAGES", "TOPIC_HISTORY_SIZE"],
            "Messages that a topic keeps for replay."
        ),
        .one("topic_bytes", \.topicBytes, .size(1024...1 << 40), "Bytes of messages that a topic keeps at most."),
        .one(
            "loop_lag",
            \.loopLag,
            .whole(1...1_000_000_000),
            "Deliveries of a topic that an event loop may be behind before publishers on other loops wait."
        ),
        .one(
            "loop_lag_bytes",
            \.loopLagBytes,
            .size(1...1 << 40),
            "Bytes of a topic's messages that it may be behind before they wait."
        ),
        .one(
            "queue",
            \.queue,
            .whole(1...100_000_000),
            aliases: ["PUBSUB_MAX_QUEUE_SIZE", "MAX_QUEUE_SIZE", "MAX_SUBSCRIBER_QUEUE_SIZE"],
            "Messages that a subscription may lag behind."
        ),
        .one(
            "overflow",
            \.overflow,
            .word(),
            "What happens then: drop-oldest, drop-newest, latest, disconnect or throttle."
        ),
        .one(
            "throttle_timeout",
            \.throttleTimeout,
            .duration(zero: true),
            "How long a subscriber may hold publishers back; 0 is for ever."
        ),
        .one(
            "compression",
            \.compression,
            .word(synonyms: ["true": .on, "false": .off]),
            "Whether WebSocket messages are compressed for clients that offer it: on or off."
        ),
        .one(
            "compression_min_size",
            \.compressionMinSize,
            .size(0...1 << 30),
            "Smallest event that is compressed."
        ),
        .one(
            "compression_level",
            \.compressionLevel,
            .whole(1...9),
            "How hard to compress: 1 is the fastest, 9 the smallest."
        ),
    ]

    private static let times: [Setting] = [
        .one(
            "ping_interval",
            \.pingInterval,
            .duration(zero: true),
            aliases: ["PUBSUB_WS_PING_INTERVAL"],
            "Time between WebSocket pings; 0 sends none."
        ),
        .one(
            "pong_timeout",
            \.pongTimeout,
            .duration(zero: true),
            aliases: ["PUBSUB_WS_PING_TIMEOUT"],
            "How long a pong may take; 0 is for ever."
        ),
        .one("heartbeat", \.heartbeat, .duration(zero: true), "Time between heartbeat messages; 0 sends none."),
        .one(
            "handshake_timeout",
            \.handshakeTimeout,
            .duration(zero: false),
            "How long a new connection may take to its first request."
        ),
        .one("auth_timeout", \.authTimeout, .duration(zero: false), "How long a client may take to show its key."),
        .one(
            "idle_timeout",
            \.idleTimeout,
            .duration(zero: true),
            "How long an HTTP connection may be idle; 0 is for ever."
        ),
        .one("close_timeout", \.closeTimeout, .duration(zero: false), "How long a closing handshake may take."),
        .one(
            "drain_timeout",
            \.drainTimeout,
            .duration(shortest: 0, zero: true),
            "How long delivery goes on after SIGTERM."
        ),
        .one(
            "live_timeout",
            \.liveTimeout,
            .duration(shortest: 1000, zero: false),
            "How long an event loop may be silent before /livez fails."
        ),
        .one(
            "release_memory_after",
            \.releaseMemoryAfter,
            .duration(zero: true),
            "How long the server is quiet before it gives memory back; 0 is never."
        ),
    ]

    /// The largest value of `max_queue`.
    private static let longestQueue = 100_000_000

    private static let limits: [Setting] = [
        // The bounds are practical, not from the protocol: below the lower one no message fits, and above the upper one
        // a buffer cannot grow.
        .one("max_message", \.maxMessage, .size(128...1 << 30), "Largest message."),
        .one("max_depth", \.maxDepth, .whole(1...1024), "How deep the JSON of a message may nest."),
        .one("max_client_id", \.maxClientID, .whole(1...65536), "Longest client ID, in bytes."),
        .one("max_connections", \.maxConnections, .whole(1...10_000_000), "Open WebSocket connections."),
        .one("max_subscriptions", \.maxSubscriptions, .whole(1...10_000_000), "Subscriptions of one connection."),
        .one("max_topics", \.maxTopics, .whole(1...10_000_000), "Topics."),
        .one("max_matches", \.maxMatches, .whole(1...10_000_000), "Topics that one connection's patterns match."),
        .one("max_queue", \.maxQueue, .whole(1...longestQueue), "Longest queue a subscription may ask for."),
        .one("max_batch", \.maxBatch, .whole(1...1_000_000), "Messages of one publish."),
        .one("max_dedupe", \.maxDedupe, .whole(1...100_000_000), "Message IDs a topic with a dedupe window remembers."),
        .one("max_series", \.maxSeries, .whole(100...10_000_000), "Series of metrics."),
        .one(
            "reconnect_rate",
            \.reconnectRate,
            .whole(1...10_000_000),
            "Clients that are asked to come back each second after a shutdown."
        ),
    ]

    private static let topics: [Setting] = [
        .one(
            "topics.create_existing",
            \.createExisting,
            .word(),
            "What creating a topic that exists is: a conflict (409), ok (200) or created (201)."
        ),
        .one(
            "topics.on_delete",
            \.onDelete,
            .word(),
            "What a deleted topic's subscribers get: info, or disconnect as well."
        ),
        .words(
            "topics.create_on",
            \.createOn,
            "What makes a topic that is not there: publish, subscribe, both or none."
        ),
        .topics(
            "topics.declare",
            \.declaredTopics,
            maxQueue: longestQueue,
            "Topics that are made at start, with their settings: a JSON list."
        ),
    ]
}
