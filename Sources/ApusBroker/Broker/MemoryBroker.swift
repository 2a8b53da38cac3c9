import NIOConcurrencyHelpers

/// The broker that keeps everything in this process's memory.
///
/// One leaf lock guards the table of topics. The hot path does not take it: hubs remember the topics they publish to.
public final class MemoryBroker: Broker {
    /// What a broker's topics are bounded by.
    public struct Limits: Sendable {
        /// How many publications a topic keeps for replay.
        public var history: Int
        /// How many bytes of messages a topic keeps at the most, even when history or a slow subscriber wants more.
        public var topicBytes: Int
        /// How many topics there may be; creating more is refused.
        public var topics: Int

        public init(history: Int = 100, topicBytes: Int = 256 << 20, topics: Int = 100_000) {
            self.history = history
            self.topicBytes = topicBytes
            self.topics = topics
        }
    }

    private let limits: Limits
    private let table = NIOLockedValueBox<[ExactText: Topic]>([:])

    public init(limits: Limits = Limits()) {
        self.limits = limits
    }

    @discardableResult
    public func createTopic(named name: String) throws(BrokerError) -> Topic {
        guard TopicName.isAllowed(name) else {
            throw BrokerError(
                .nameNotAllowed,
                "A topic name is 1 to \(TopicName.maxSize) bytes of UTF-8 without control characters, '*' or '>'"
            )
        }
        let log = TopicLog.Limits(history: limits.history, bytes: limits.topicBytes)
        let result: Result<Topic, BrokerError> = table.withLockedValue { table in
            guard table[ExactText(name)] == nil else {
                return .failure(BrokerError(.topicExists, "Topic '\(name)' already exists"))
            }
            guard table.count < limits.topics else {
                return .failure(
                    BrokerError(.tooManyTopics, "There are \(limits.topics) topics already, the most allowed")
                )
            }
            let topic = Topic(name: name, limits: log)
            table[ExactText(name)] = topic
            return .success(topic)
        }
        return try result.get()
    }

    public func deleteTopic(named name: String) throws(BrokerError) {
        guard
            name.utf8.count <= TopicName.maxSize,
            let topic = table.withLockedValue({ $0.removeValue(forKey: ExactText(name)) })
        else { throw .topicNotFound(name) }
        topic.delete()
    }

    public func topic(named name: String) -> Topic? {
        // Nobody waits for the lock while the hash of a name is reckoned that no topic can have.
        guard name.utf8.count <= TopicName.maxSize else { return nil }
        return table.withLockedValue { $0[ExactText(name)] }
    }

    public var topics: [Topic] {
        table.withLockedValue { Array($0.values) }
    }
}
