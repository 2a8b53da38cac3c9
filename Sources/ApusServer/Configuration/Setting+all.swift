import ApusBroker
import Logging

extension Setting {
    /// All settings, in the order of `config print`. The members of a group are adjacent.
    package static let all: [Setting] =
        listening + tls + proxies + access + storage + cluster + messages + times + limits + rates + topics + tracing

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
