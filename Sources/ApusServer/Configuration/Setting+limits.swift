extension Setting {
    /// The largest value of `max_queue`.
    static let longestQueue = 100_000_000

    static let limits: [Setting] = [
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
            "Consoles that are open."
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
}
