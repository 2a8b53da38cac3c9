import ApusProtocol

extension Setting {
    /// How often clients may do things.
    static let rates: [Setting] = [
        .init(
            "command_rate",
            \.rates.command,
            .rate,
            isReloadable: true,
            "Commands of a WebSocket connection: so many a second, or 30/m, 10/h; 0 is any number."
        ),
        .init("command_burst", \.rates.commandBurst, .whole(0...Rate.most), isReloadable: true, burst),
        .init(
            "publish_rate",
            \.rates.publish,
            .rate,
            isReloadable: true,
            "Messages that a key, a token's subject or an address publishes; 0 is any number."
        ),
        .init("publish_burst", \.rates.publishBurst, .whole(0...Rate.most), isReloadable: true, burst),
        .init(
            "publish_bytes_rate",
            \.rates.publishBytes,
            .bytesRate,
            isReloadable: true,
            "Bytes of these messages, such as 1MiB a second or 60MiB/m; 0 is any number."
        ),
        .init("publish_bytes_burst", \.rates.publishBytesBurst, .size(0...Rate.most), isReloadable: true, burst),
        .init(
            "topic_rate",
            \.rates.topic,
            .rate,
            isReloadable: true,
            "Messages published to a topic that has no rate of its own; 0 is any number."
        ),
        .init("topic_burst", \.rates.topicBurst, .whole(0...Rate.most), isReloadable: true, burst),
    ]

    private static let burst = "How many of them may come at once; 0 is one second's worth."
}
