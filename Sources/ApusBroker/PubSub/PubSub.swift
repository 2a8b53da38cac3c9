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
        package var limits: MemoryBroker.Limits
        package var queue: Int
        package var overflow: OverflowPolicy
        package var maxMessage: Int
        package var maxSubscriptions: Int
        package var throttleTimeout: Duration
        /// The longest time that publishers wait for other event loops.
        package var liveTimeout = Duration.seconds(10)

        /// Creates default options, except for the given values.
        ///
        /// - Parameters:
        ///   - history: how many messages a topic keeps for replay, if it does not say otherwise.
        ///   - queue: how many messages a subscription may lag behind, if neither it nor its topic says otherwise.
        ///   - overflow: what happens beyond that lag, if neither the subscription nor its topic says otherwise.
        ///   - maxMessage: the largest message in bytes, including `id` and `payload`.
        ///   - maxTopics: the maximum number of topics.
        ///   - maxSubscriptions: the maximum number of subscriptions.
        ///   - maxDedupe: how many message ids a topic with a `dedupeWindow` remembers. Beyond that it forgets the
        ///     oldest.
        ///   - topicBytes: the most bytes of messages that a topic keeps, even if history or a slow subscription needs
        ///     more.
        ///   - topicRate: how many messages may be published to a topic, if it does not say otherwise.
        ///   - topicBurst: how many of them may come at once; 0 for as many as come in one second.
        ///   - throttleTimeout: under ``OverflowPolicy/throttle``, the time after which a stalled subscription is
        ///     ended. A stalled subscription makes publishers wait and accepts nothing. Zero means never.
        public init(
            history: Int = 100,
            queue: Int = 1000,
            overflow: OverflowPolicy = .dropOldest,
            maxMessage: Int = 1 << 20,
            maxTopics: Int = 100_000,
            maxSubscriptions: Int = 100_000,
            maxDedupe: Int = 100_000,
            topicBytes: Int = 256 << 20,
            topicRate: Rate = .off,
            topicBurst: Int = 0,
            throttleTimeout: Duration = .seconds(30)
        ) {
            limits = MemoryBroker.Limits(
                history: max(history, 0),
                topicBytes: max(topicBytes, 0),
                topics: maxTopics,
                dedupe: max(maxDedupe, 0),
                loopPace: LoopPace(),
                topicRate: RateLimit(topicRate, burst: topicBurst)
            )
            self.queue = Self.clampedQueue(queue)
            self.overflow = overflow
            self.maxMessage = maxMessage
            self.maxSubscriptions = maxSubscriptions
            self.throttleTimeout = throttleTimeout
        }

        /// The largest queue. A topic's log is bounded by other limits long before.
        static let largestQueue = 1 << 32

        static func clampedQueue(_ queue: Int) -> Int { min(max(queue, 1), largestQueue) }
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

    // MARK: For servers that share the topics

    /// The counters of its hub.
    package func report() async -> HubCounters { await core.loop.report() }

    /// The part of these that needs no look at each subscription.
    package func totals() async -> HubCounters { await core.loop.totals() }

    /// Its current subscriptions, and those that ended recently.
    package func subscriptionReports(
        of topic: Topic?,
        order: Hub.ReportOrder,
        limit: Int,
        search: TextSearch? = nil,
        isVisible: @Sendable (String) -> Bool
    ) async -> ([SubscriptionReport], gone: [SubscriptionReport]) {
        await core.loop.subscriptionReports(of: topic, order: order, limit: limit, search: search, isVisible: isVisible)
    }

    /// What became of a message for its subscriptions.
    package func trace(_ message: TracedMessage, of topic: Topic, limit: Int) async -> TraceReport {
        await core.loop.trace(message, of: topic, limit: limit)
    }
}
