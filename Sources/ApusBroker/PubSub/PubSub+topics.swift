public import ApusProtocol

extension PubSub {
    /// A setting of one topic. `nil` resets it: the topic then has the default of its ``PubSub`` or server, or none.
    public enum TopicSetting: Sendable, Hashable {
        /// How many messages are kept for replay: 0 to 100 million.
        case history(Int?)
        /// How long messages are kept for replay: 1 ms to 100 years.
        case historyAge(Duration?)
        /// How many bytes of messages are kept for replay: up to 1 TiB.
        case historyBytes(Int?)
        /// How many messages a subscription may lag behind that does not say otherwise; at least 1.
        case queue(Int?)
        /// What happens beyond that lag to a subscription that does not say otherwise.
        case overflow(OverflowPolicy?)
        /// How long message ids are remembered: 1 ms to 100 years. A message with a remembered id is not published.
        case dedupeWindow(Duration?)
        /// The lifetime of messages that have none of their own: 1 ms to 100 years.
        case ttl(Duration?)
        /// How many messages may be published; ``Rate/off`` for any number of them.
        case topicRate(Rate?)
        /// How many of them may come at once: at least 1. The default of a topic with a rate of its own is one second's
        /// worth.
        case topicBurst(Int?)
    }

    /// A topic, as listed by ``topics``.
    public struct TopicInfo: Sendable, Hashable {
        public let name: String
        /// The number of subscriptions, including those of the server's clients if a server shares the topic.
        public let subscribers: Int
        /// The number of messages ever published to the topic.
        public let messages: Int
    }

    /// Creates a topic.
    ///
    /// - Throws: ``BrokerError`` `.topicExists`, `.nameNotAllowed` or `.tooManyTopics`.
    public func createTopic(_ name: String) throws(BrokerError) {
        try core.broker.createTopic(named: name)
    }

    /// Creates a topic with its own settings, or changes the settings of an existing topic. Other settings stay.
    ///
    /// - Returns: whether the topic is new.
    /// - Throws: ``BrokerError`` `.nameNotAllowed`, `.tooManyTopics`, or `.badRequest` for a value that a setting
    ///   cannot have.
    @discardableResult
    public func putTopic(_ name: String, _ settings: [TopicSetting] = []) throws(BrokerError) -> Bool {
        for setting in settings { try setting.check() }
        return try core.broker.putTopic(named: name) { for setting in settings { setting.apply(to: &$0) } }.isNew
    }

    /// Deletes a topic. Its subscribers get what was published before, and then ``Notice/Kind/topicDeleted``.
    ///
    /// - Throws: ``BrokerError`` `.topicNotFound` or `.nameNotAllowed`.
    public func deleteTopic(_ name: String) throws(BrokerError) {
        try core.broker.deleteTopic(named: name)
    }

    /// Purges a topic: its history becomes empty. Offsets go on, subscriptions stay, and one that is behind still gets
    /// what it has to read. Who comes back to a position before it is told what is missing.
    ///
    /// - Returns: how many messages history had.
    /// - Throws: ``BrokerError`` `.topicNotFound` or `.nameNotAllowed`; `.notKept` if a server shares the topic, has it
    ///   on a disk, and cannot write there. Nothing is purged then.
    @discardableResult
    public func purgeTopic(_ name: String) async throws(BrokerError) -> Int {
        Int(clamping: try await core.broker.purgeTopic(named: name, now: await core.loop.passed))
    }

    /// All topics, in no particular order.
    public var topics: [TopicInfo] {
        core.broker.topics.map { topic in
            TopicInfo(
                name: topic.name,
                subscribers: topic.subscriberCount,
                messages: Int(clamping: topic.publishedCount)
            )
        }
    }
}

extension PubSub.TopicSetting {
    fileprivate func check() throws(BrokerError) {
        switch self {
        case .history(let count): try Self.check("history", count, in: 0...TopicSettingsFields.maxHistory)
        case .historyBytes(let size): try Self.check("historyBytes", size, in: 0...TopicSettingsFields.maxHistoryBytes)
        case .queue(let queue): try Self.check("queue", queue, in: 1...PubSub.Options.largestQueue)
        case .topicBurst(let burst): try Self.check("topicBurst", burst, in: 1...Rate.most)
        case .historyAge(let age): try Self.check("historyAge", age)
        case .dedupeWindow(let window): try Self.check("dedupeWindow", window)
        case .ttl(let lifetime): try Self.check("ttl", lifetime)
        case .overflow, .topicRate: break
        }
    }

    private static func check(_ name: String, _ number: Int?, in range: ClosedRange<Int>) throws(BrokerError) {
        guard let number, !range.contains(number) else { return }
        throw BrokerError(.badRequest, "A topic's \(name) is \(range.lowerBound) to \(range.upperBound)")
    }

    private static func check(_ name: String, _ duration: Duration?) throws(BrokerError) {
        guard let duration, !PubSub.lifetimes.contains(duration) else { return }
        throw BrokerError(.badRequest, "A topic's \(name) is 1 ms to 100 years")
    }

    fileprivate func apply(to settings: inout TopicSettings) {
        switch self {
        case .history(let count): settings.history = count
        case .historyAge(let age): settings.historyAge = age?.wholeMilliseconds
        case .historyBytes(let bytes): settings.historyBytes = bytes
        case .queue(let queue): settings.queue = queue
        case .overflow(let policy): settings.overflow = policy
        case .dedupeWindow(let window): settings.dedupeWindow = window?.wholeMilliseconds
        case .ttl(let lifetime): settings.ttl = lifetime?.wholeMilliseconds
        case .topicRate(let rate): settings.topicRate = rate
        case .topicBurst(let burst): settings.topicBurst = burst
        }
    }
}
