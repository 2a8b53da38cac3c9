public import ApusProtocol

/// Topics inside this process: publish and subscribe without a socket.
///
/// ```swift
/// let apus = PubSub()
/// try apus.createTopic("orders")
/// let orders = try await apus.subscribe("orders")
/// try await apus.publish("orders", #"{"total":12}"#)
/// for try await delivery in orders {
///     if let event = delivery.event { print(event.payload) }
/// }
/// ```
/// The guarantees are those of a server: every subscriber gets every message once, in the order in which the topic
/// accepted them. A slow subscriber is told what it missed. Use a `PubSub` from any task or thread. It lives as long as
/// it or one of its subscriptions is held.
///
/// ``ApusService`` of `ApusServer` has a `PubSub` that shares the server's topics.
public final class PubSub: Sendable {
    /// Bounds and defaults.
    public struct Options: Sendable {
        /// Bounds on topics: messages kept for replay (`history`), bytes, number of topics.
        public var limits: MemoryBroker.Limits
        /// How many messages a subscription may lag behind, if neither it nor its topic says otherwise.
        public var queue: Int
        /// What happens beyond that lag.
        public var overflow: OverflowPolicy
        /// The largest message in bytes, including `id` and `payload`.
        public var maxMessage: Int
        /// The maximum number of subscriptions.
        public var maxSubscriptions: Int
        /// Under ``OverflowPolicy/throttle``: the time after which a stalled subscription is ended. Zero means never.
        ///
        /// A subscription is stalled when it makes publishers wait and accepts nothing.
        public var throttleTimeout: Duration
        /// The longest time that publishers wait for other event loops.
        public var liveTimeout: Duration

        public init(
            limits: MemoryBroker.Limits = .init(loopPace: LoopPace()),
            queue: Int = 1000,
            overflow: OverflowPolicy = .dropOldest,
            maxMessage: Int = 1 << 20,
            maxSubscriptions: Int = 100_000,
            throttleTimeout: Duration = .seconds(30),
            liveTimeout: Duration = .seconds(10)
        ) {
            self.limits = limits
            self.queue = Self.clampedQueue(queue)
            self.overflow = overflow
            self.maxMessage = maxMessage
            self.maxSubscriptions = maxSubscriptions
            self.throttleTimeout = throttleTimeout
            self.liveTimeout = liveTimeout
        }

        /// Larger queues are no more than this: a topic's log is bounded by other limits long before.
        static func clampedQueue(_ queue: Int) -> Int { min(max(queue, 1), 1 << 32) }
    }

    let core: PubSubCore

    /// Creates a `PubSub` with topics of its own.
    public convenience init(_ options: Options = Options()) {
        let broker = MemoryBroker(limits: options.limits)
        self.init(PubSubCore(broker: broker, options: options, ownsBroker: true, clock: PubSubCore.systemTime))
    }

    /// Shares the topics of a server. The server maintains them.
    ///
    /// - Parameters:
    ///   - options: its limits on topics have no effect, because the broker has its own.
    ///   - clock: the clock of everyone who uses the broker.
    package convenience init(
        sharing broker: any Broker,
        _ options: Options,
        clock: @escaping @Sendable () -> Moment
    ) {
        self.init(PubSubCore(broker: broker, options: options, ownsBroker: false, clock: clock))
    }

    private init(_ core: PubSubCore) {
        self.core = core
    }

    // MARK: Topics

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

    /// Creates a topic with its own settings, or changes the settings of an existing topic.
    ///
    /// - Returns: whether the topic is new.
    /// - Throws: ``BrokerError`` `.nameNotAllowed` or `.tooManyTopics`.
    @discardableResult
    public func putTopic(_ name: String, _ change: (inout TopicSettings) -> Void = { _ in }) throws(BrokerError) -> Bool
    {
        try core.broker.putTopic(named: name, change: change).isNew
    }

    /// Deletes a topic. Its subscribers get what was published before, and then ``Notice/Kind/topicDeleted``.
    ///
    /// - Throws: ``BrokerError`` `.topicNotFound` or `.nameNotAllowed`.
    public func deleteTopic(_ name: String) throws(BrokerError) {
        try core.broker.deleteTopic(named: name)
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

    // MARK: For servers that share the topics

    /// The counters of its hub.
    package func report() async -> HubCounters { await core.loop.report() }

    /// Its current subscriptions, and those that ended recently.
    package func subscriptionReports(
        of topic: Topic?,
        order: Hub.ReportOrder,
        limit: Int,
        isVisible: @Sendable (String) -> Bool
    ) async -> ([SubscriptionReport], gone: [SubscriptionReport]) {
        await core.loop.subscriptionReports(of: topic, order: order, limit: limit, isVisible: isVisible)
    }
}
