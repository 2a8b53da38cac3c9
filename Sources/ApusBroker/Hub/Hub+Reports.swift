public import ApusProtocol
import DequeModule

/// Why a subscription ended.
public struct EndReason: Hashable, Sendable {
    /// The machine-readable word; of a connection the server closed, its close reason.
    public let code: String

    public init(_ code: String) {
        self.code = code
    }

    public static let unsubscribed = EndReason("UNSUBSCRIBED")
    public static let disconnected = EndReason("DISCONNECTED")
    /// A request that waited has its answer: nobody asks who that was.
    public static let answered = EndReason("ANSWERED")
    public static let slowConsumer = EndReason("SLOW_CONSUMER")
    public static let topicDeleted = EndReason("TOPIC_DELETED")
}

/// A subscription, for people to look at.
public struct SubscriptionReport: Sendable {
    /// The later it began, the higher.
    public var id: UInt64
    public var topicJSON: [UInt8]
    public var clientID: String
    public var peer: SubscriberPeer
    /// The pattern that brought it.
    public var pattern: String?
    /// In milliseconds since 1970.
    public var since: Int64
    public var overflow: OverflowPolicy
    public var queue: Int
    public var delivered: UInt64
    public var dropped: UInt64
    public var lag: Topic.Lag
    /// For how long publishers waited for it, in milliseconds.
    public var throttledTime: Int64
    /// For how long publishers of the topic waited for its loop, in milliseconds.
    public var heldTime: Int64 = 0
    /// Of one that is gone: why, and when in milliseconds since 1970.
    public var end: (reason: EndReason, time: Int64)?

    init(_ subscription: Subscription, lag: Topic.Lag) {
        id = subscription.id
        topicJSON = subscription.topic.template.topicJSON
        clientID = subscription.clientID
        peer = subscription.subscriber.peer
        pattern = subscription.pattern?.filter.text
        since = subscription.since
        overflow = subscription.options.overflow
        queue = subscription.options.queue
        delivered = subscription.deliveredCount
        dropped = subscription.droppedCount
        self.lag = lag
        throttledTime = subscription.throttledTime
    }
}

/// The subscriptions that ended last; beyond ``limit`` the oldest are forgotten.
struct GoneSubscriptions {
    static let limit = 100

    private(set) var all = Deque<SubscriptionReport>()

    mutating func add(_ subscription: Subscription, reason: EndReason, now: Int64) {
        var report = SubscriptionReport(subscription, lag: Topic.Lag())
        report.end = (reason, now)
        if all.count >= Self.limit { all.removeFirst() }
        all.append(report)
    }
}

extension Hub {
    /// What the hub has done, and what it still has to do.
    public func report() -> HubCounters {
        var counters = counters
        for reader in topics {
            guard let reader else { continue }
            let head = reader.topic.publishedCount + 1
            for subscription in reader.subscriptions {
                counters.pending += subscription.pending(to: head)
                counters.largestLag = max(counters.largestLag, subscription.pending(to: head))
            }
            counters.subscriptions += reader.subscriptions.count
        }
        counters.waiting = waits.values.count { $0.lives.isEmpty }
        if let deflation { counters.compression = deflation.compressor.counters }
        for waiting in waiting.values {
            let held = waiting.all.count(where: \.isHeld)
            counters.heldPublishers += held
            counters.throttledPublishers += waiting.all.count - held
        }
        return counters
    }

    /// In which order subscriptions are listed.
    public enum ReportOrder: String, Sendable, CaseIterable {
        case lag, delivered, dropped, since

        /// Whether one is listed before another.
        public func precedes(_ left: SubscriptionReport, _ right: SubscriptionReport) -> Bool {
            switch self {
            case .lag: left.lag.messages > right.lag.messages
            case .delivered: left.delivered > right.delivered
            case .dropped: left.dropped > right.dropped
            case .since: left.id < right.id
            }
        }

        /// Higher comes first.
        fileprivate func rank(_ subscription: Subscription, head: Offset) -> Int64 {
            switch self {
            case .lag: Int64(clamping: subscription.pending(to: head))
            case .delivered: Int64(clamping: subscription.deliveredCount)
            case .dropped: Int64(clamping: subscription.droppedCount)
            case .since: -Int64(clamping: subscription.id)
            }
        }
    }

    /// The first `limit` of all subscriptions, or of those to one topic. Only of these all is found out.
    public func subscriptionReports(
        of topic: Topic? = nil,
        order: ReportOrder = .since,
        limit: Int = .max
    ) -> [SubscriptionReport] {
        let now = clock().steady
        var ranked: [(rank: Int64, subscription: Subscription)] = []
        for reader in topics {
            guard let reader, topic == nil || reader.topic === topic else { continue }
            let head = reader.topic.publishedCount + 1
            ranked += reader.subscriptions.map { (order.rank($0, head: head), $0) }
        }
        ranked.sort { $0.rank > $1.rank }
        return ranked.prefix(limit).map { _, subscription in
            let cursor = max(subscription.cursor, 1)
            var lag = subscription.topic.lag(of: cursor, now: now)
            lag.messages -= min(lag.messages, subscription.heldBack(from: cursor))
            var report = SubscriptionReport(subscription, lag: lag)
            report.heldTime = subscription.topic.heldTime(by: mailbox)
            return report
        }
    }

    /// The subscriptions that ended last, the latest last.
    public func goneReports() -> [SubscriptionReport] {
        Array(gone.all)
    }
}
