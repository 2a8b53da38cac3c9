import ApusClient

/// The streams of a publisher: one per topic that it has sent to.
struct PublishStreams {
    let seed: UInt64
    let records: [TopicRecord]
    private var open: [Int: (stream: UInt32, next: Int)] = [:]

    init(seed: UInt64, records: [TopicRecord]) {
        self.seed = seed
        self.records = records
    }

    /// Takes the next places in the topic's stream for the messages of `send`.
    mutating func take(_ send: PublisherSchedule.Send) -> PublishWindow.Pending {
        let (stream, first) = open[send.topic] ?? (records[send.topic].openStream(), 0)
        open[send.topic] = (stream, first + send.sizes.count)
        return .init(
            topic: send.topic,
            stream: stream,
            first: first,
            count: send.sizes.count,
            isBatch: send.isBatch
        )
    }

    /// The id and the payload of each message of a publish.
    func messages(_ pending: PublishWindow.Pending, _ send: PublisherSchedule.Send) -> [(id: String, payload: String)] {
        send.sizes.enumerated().map { index, size in
            let label = MessageLabel(stream: pending.stream, sequence: UInt32(pending.first + index))
            return (
                VerifyPayload.id(seed: seed, topic: send.topic, label: label),
                VerifyPayload(label: label, size: size).json
            )
        }
    }

    /// Closes the streams when the connection is over, and begins new ones with the next message. Nothing more of them
    /// is sent or answered.
    mutating func close() {
        for (topic, (stream, _)) in open { records[topic].closeStream(stream) }
        open.removeAll()
    }
}
