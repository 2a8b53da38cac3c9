public import ApusProtocol
import NIOConcurrencyHelpers
import NIOCore
import Synchronization

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
/// What is promised is what a server promises its clients: every subscriber gets every message once, in the order in
/// which the topic took it, and what a slow one misses is told to it. A `PubSub` may be used from any task or thread.
/// It lives for as long as it or one of its subscriptions is held.
///
/// ``ApusService`` of `ApusServer` has one that shares the server's topics.
public final class PubSub: Sendable {
    /// Bounds and defaults.
    public struct Options: Sendable {
        /// Bounds on topics: messages kept for replay (`history`), bytes, how many topics.
        public var limits: MemoryBroker.Limits
        /// Messages that a subscription may lag behind, where neither it nor its topic says otherwise.
        public var queue: Int
        /// What happens beyond that.
        public var overflow: OverflowPolicy
        /// The largest message in bytes, `id` and `payload` together.
        public var maxMessage: Int
        /// How many subscriptions there may be.
        public var maxSubscriptions: Int
        /// Under ``OverflowPolicy/throttle``: a subscription that makes publishers wait and takes nothing for so long
        /// is ended. Zero: never.
        public var throttleTimeout: Duration
        /// For so long publishers wait for other event loops at the most.
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
            self.queue = max(queue, 1)
            self.overflow = overflow
            self.maxMessage = maxMessage
            self.maxSubscriptions = maxSubscriptions
            self.throttleTimeout = throttleTimeout
            self.liveTimeout = liveTimeout
        }
    }

    let core: PubSubCore

    /// Topics of its own.
    public convenience init(_ options: Options = Options()) {
        let broker = MemoryBroker(limits: options.limits)
        self.init(PubSubCore(broker: broker, options: options, ownsBroker: true, clock: PubSubCore.systemTime))
    }

    /// The topics of a server, which looks after them.
    ///
    /// - Parameters:
    ///   - options: of which the limits on topics are the broker's own.
    ///   - clock: that of all who use the broker.
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

    /// A topic as ``topics`` lists it.
    public struct TopicInfo: Sendable, Hashable {
        public let name: String
        /// Subscriptions to it, other processes' too where a server shares it.
        public let subscribers: Int
        /// All that were ever published.
        public let messages: Int
    }

    /// Creates a topic.
    ///
    /// - Throws: ``BrokerError`` `.topicExists`, `.nameNotAllowed` or `.tooManyTopics`.
    public func createTopic(_ name: String) throws(BrokerError) {
        try core.broker.createTopic(named: name)
    }

    /// Creates a topic with settings of its own, or changes those of one that exists.
    ///
    /// - Returns: whether it is new.
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

    /// All topics, in no order.
    public var topics: [TopicInfo] {
        core.broker.topics.map { topic in
            TopicInfo(
                name: topic.name,
                subscribers: topic.subscriberCount,
                messages: Int(clamping: topic.publishedCount)
            )
        }
    }

    // MARK: For servers that share it

    /// Its part of the books.
    package func report() async -> HubCounters { await core.loop.report() }

    /// Its subscriptions, and those that ended lately.
    package func subscriptionReports(
        of topic: Topic?,
        order: Hub.ReportOrder,
        limit: Int
    ) async -> ([SubscriptionReport], gone: [SubscriptionReport]) {
        await core.loop.subscriptionReports(of: topic, order: order, limit: limit)
    }
}
