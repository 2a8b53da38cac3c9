import ApusBroker
import Logging

extension Setting {
    /// All settings, in the order of `config print`. The members of a group are adjacent.
    package static let all: [Setting] =
        listening + tls + proxies + access + storage + messages + times + limits + rates + topics

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
        .init("host", \.host, .host, aliases: ["PUBSUB_HOST", "HOST"], "Address to listen on."),
        .init(
            "port",
            \.port,
            .port,
            aliases: ["PUBSUB_PORT", "PORT"],
            "Port to listen on; 0 takes a free one."
        ),
        .init(
            "listen",
            \.listen,
            .addresses,
            "Address to listen on in place of host and port, such as unix:/run/apus.sock; may be given several times."
        ),
        .init("socket_mode", \.socketMode, .mode, "Permissions of a Unix socket's file."),
        .init("base_path", \.basePath, .basePath, "Path that everything is below, such as /apus."),
        .init(
            "console",
            \.console,
            .onOff,
            isReloadable: true,
            "Whether browsers get the console at the server's address: on or off."
        ),
        .init("threads", \.threads, .whole(0...1024), "Event loops; 0 is one for each core."),
        .init(
            "log_level",
            \.log.level,
            .word("level", synonyms: ["warn": .warning]),
            aliases: ["PUBSUB_LOG_LEVEL", "LOG_LEVEL"],
            isReloadable: true,
            "What to log: trace, debug, info, notice, warning, error or critical."
        ),
        .init(
            "log_format",
            \.log.format,
            .word("format"),
            "How to log: text or json, one record a line, on standard error."
        ),
    ]

    private static let messages: [Setting] = [
        .init(
            "history",
            \.topics.history,
            .whole(0...100_000_000),
            aliases: ["PUBSUB_HISTORY_SIZE", "MAX_MESSAGES", "TOPIC_HISTORY_SIZE"],
            "Messages that a topic keeps for replay."
        ),
        .init("topic_bytes", \.topics.bytes, .size(1024...1 << 40), "Bytes of messages that a topic keeps at most."),
        .init(
            "loop_lag",
            \.delivery.loopLag,
            .whole(1...1_000_000_000),
            "Deliveries of a topic that an event loop may be behind before publishers on other loops wait."
        ),
        .init(
            "loop_lag_bytes",
            \.delivery.loopLagBytes,
            .size(1...1 << 40),
            "Bytes of a topic's messages that it may be behind before they wait."
        ),
        .init(
            "queue",
            \.delivery.queue,
            .whole(1...100_000_000),
            aliases: ["PUBSUB_MAX_QUEUE_SIZE", "MAX_QUEUE_SIZE", "MAX_SUBSCRIBER_QUEUE_SIZE"],
            isReloadable: true,
            "Messages that a subscription may lag behind."
        ),
        .init(
            "overflow",
            \.delivery.overflow,
            .word("policy"),
            isReloadable: true,
            "What happens then: drop-oldest, drop-newest, latest, disconnect or throttle."
        ),
        .init(
            "subscriber_throttle",
            \.delivery.subscriberThrottle,
            .onOff,
            isReloadable: true,
            "Whether subscribers may ask for throttle, which makes publishers wait for them: on or off."
        ),
        .init(
            "throttle_timeout",
            \.timeouts.throttle,
            .duration(zero: true),
            "How long a subscriber may hold publishers back; 0 is for ever."
        ),
        .init(
            "compression",
            \.compression.isOn,
            .onOff,
            "Whether WebSocket messages are compressed for clients that offer it: on or off."
        ),
        .init(
            "compression_min_size",
            \.compression.minSize,
            .size(0...1 << 30),
            "Smallest event that is compressed."
        ),
        .init(
            "compression_level",
            \.compression.level,
            .whole(1...9, "level"),
            "How hard to compress: 1 is the fastest, 9 the smallest."
        ),
    ]

    private static let times: [Setting] = [
        .init(
            "ping_interval",
            \.timeouts.pingInterval,
            .duration(zero: true),
            aliases: ["PUBSUB_WS_PING_INTERVAL"],
            "Time between WebSocket pings; 0 sends none."
        ),
        .init(
            "pong_timeout",
            \.timeouts.pong,
            .duration(zero: true),
            aliases: ["PUBSUB_WS_PING_TIMEOUT"],
            "How long a pong may take; 0 is for ever."
        ),
        .init(
            "heartbeat",
            \.timeouts.heartbeat,
            .duration(zero: true),
            "Time between heartbeat messages; 0 sends none."
        ),
        .init(
            "handshake_timeout",
            \.timeouts.handshake,
            .duration(zero: false),
            "How long a new connection may take to its first request."
        ),
        .init("auth_timeout", \.timeouts.auth, .duration(zero: false), "How long a client may take to show its key."),
        .init(
            "idle_timeout",
            \.timeouts.idle,
            .duration(zero: true),
            "How long an HTTP connection may be idle; 0 is for ever."
        ),
        .init("close_timeout", \.timeouts.close, .duration(zero: false), "How long a closing handshake may take."),
        .init(
            "drain_timeout",
            \.timeouts.drain,
            .duration(shortest: 0, zero: true),
            isReloadable: true,
            "How long delivery goes on after SIGTERM."
        ),
        .init(
            "live_timeout",
            \.timeouts.live,
            .duration(shortest: 1000, zero: false),
            "How long an event loop may be silent before /livez fails."
        ),
        .init(
            "release_memory_after",
            \.timeouts.releaseMemoryAfter,
            .duration(zero: true),
            "How long the server is quiet before it gives memory back; 0 is never."
        ),
    ]

    /// The largest value of `max_queue`.
    private static let longestQueue = 100_000_000

    private static let limits: [Setting] = [
        // The bounds are practical, not from the protocol: below the lower one no message fits, and above the upper one
        // a buffer cannot grow.
        .init(
            "max_message",
            \.limits.maxMessage,
            .size(128...1 << 30),
            isReloadable: true,
            "Largest message."
        ),
        .init("max_depth", \.limits.maxDepth, .whole(1...1024), "How deep the JSON of a message may nest."),
        .init("max_client_id", \.limits.maxClientID, .whole(1...65536, "size"), "Longest client ID, in bytes."),
        .init(
            "max_connections",
            \.limits.maxConnections,
            .whole(1...10_000_000),
            isReloadable: true,
            "Open WebSocket connections."
        ),
        .init(
            "connections_per_address",
            \.limits.connectionsPerAddress,
            .whole(0...10_000_000),
            isReloadable: true,
            "Connections of one address, and requests of its clients behind proxies; 0 is any number."
        ),
        .init(
            "max_subscriptions",
            \.limits.maxSubscriptions,
            .whole(1...10_000_000),
            isReloadable: true,
            "Subscriptions of one connection."
        ),
        .init("max_topics", \.limits.maxTopics, .whole(1...10_000_000), "Topics."),
        .init(
            "max_matches",
            \.limits.maxMatches,
            .whole(1...10_000_000),
            isReloadable: true,
            "Topics that one connection's patterns match."
        ),
        .init(
            "max_queue",
            \.limits.maxQueue,
            .whole(1...longestQueue),
            isReloadable: true,
            "Longest queue a subscription may ask for."
        ),
        .init(
            "max_batch",
            \.limits.maxBatch,
            .whole(1...1_000_000),
            isReloadable: true,
            "Messages of one publish."
        ),
        .init(
            "max_dedupe",
            \.limits.maxDedupe,
            .whole(1...100_000_000),
            "Message IDs a topic with a dedupe window remembers."
        ),
        .init(
            "max_memory",
            \.limits.maxMemory,
            .memoryLimit,
            isReloadable: true,
            "Memory: a size, a share of the control group's or machine's, or 0 for no limit."
        ),
        .init(
            "max_consoles",
            \.limits.maxConsoles,
            .whole(0...10_000),
            isReloadable: true,
            "Consoles that are open: pages, and apus top."
        ),
        .init("max_series", \.limits.maxSeries, .whole(100...10_000_000), "Series of metrics."),
        .init(
            "reconnect_rate",
            \.limits.reconnectRate,
            .whole(1...10_000_000),
            isReloadable: true,
            "Clients that are asked to come back each second after a shutdown."
        ),
    ]

    private static let topics: [Setting] = [
        .init(
            "topics.create_existing",
            \.topics.createExisting,
            .word("answer"),
            isReloadable: true,
            "What creating a topic that exists is: a conflict (409), ok (200) or created (201)."
        ),
        .init(
            "topics.on_delete",
            \.topics.onDelete,
            .word("action"),
            isReloadable: true,
            "What a deleted topic's subscribers get: info, or disconnect as well."
        ),
        .init(
            "topics.create_on",
            \.topics.createOn,
            .words("commands"),
            isReloadable: true,
            "What makes a topic that is not there: publish, subscribe, both or none."
        ),
        .init(
            "topics.declare",
            \.topics.declared,
            .topics(maxQueue: longestQueue),
            isReloadable: true,
            "Topics that are made at start, with their settings: a JSON list."
        ),
    ]
}
