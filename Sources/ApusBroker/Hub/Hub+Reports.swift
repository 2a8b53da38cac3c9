package import ApusProtocol
import DequeModule

/// Why a subscription ended.
package struct EndReason: Hashable, Sendable {
    /// The machine-readable reason. If the server closed the connection, this is the connection's close reason.
    package let code: String

    package init(_ code: String) {
        self.code = code
    }

    package static let unsubscribed = EndReason("UNSUBSCRIBED")
    package static let disconnected = EndReason("DISCONNECTED")
    /// The waiting request got its answer. Reports do not list such subscriptions.
    package static let answered = EndReason("ANSWERED")
    package static let slowConsumer = EndReason("SLOW_CONSUMER")
    /// The subscriber may not have it any more.
    package static let forbidden = EndReason("FORBIDDEN")
    package static let topicDeleted = EndReason("TOPIC_DELETED")
}

/// The state of a subscription, for people to look at.
package struct SubscriptionReport: Sendable {
    /// Rises with each new subscription.
    package var id: UInt64
    package var topicName: String
    package var topicJSON: [UInt8]
    package var clientID: String
    package var peer: SubscriberPeer
    /// The pattern that created the subscription.
    package var pattern: String?
    /// When the subscription began, in milliseconds since 1970.
    package var since: Int64
    package var overflow: OverflowPolicy
    package var queue: Int
    package var delivered: UInt64
    package var dropped: UInt64
    package var lag: Topic.Lag
    /// How long publishers have waited for the subscription, in milliseconds.
    package var throttledTime: Int64
    /// How long publishers of the topic have waited for the subscription's loop, in milliseconds.
    package var heldTime: Int64 = 0
    /// The newest of what it missed.
    package var lastLoss: DropLog.Entry?
    package var trail: DeliveryTrail
    /// For a subscription that has ended: why, and when in milliseconds since 1970.
    package var end: (reason: EndReason, time: Int64)?

    init(_ subscription: Subscription, lag: Topic.Lag) {
        id = subscription.identity.id
        topicName = subscription.topic.name
        topicJSON = subscription.topic.template.topicJSON
        clientID = subscription.identity.clientID
        peer = subscription.subscriber.peer
        pattern = subscription.pattern?.filter.text
        since = subscription.identity.since
        overflow = subscription.options.overflow
        queue = subscription.options.queue
        delivered = subscription.counts.delivered
        dropped = subscription.counts.dropped
        self.lag = lag
        throttledTime = subscription.counts.throttledTime
        lastLoss = subscription.drops?.lastLoss
        trail = DeliveryTrail(subscription)
    }

    /// Whether the topic, the client id or the address contains a text; letters of ASCII in any case.
    package func matches(_ search: TextSearch) -> Bool {
        [topicName, clientID, peer.address].contains { search.isFound(in: $0.utf8) }
    }
}

extension Subscription {
    /// Whether the client id or the address contains a text.
    fileprivate func matches(_ search: TextSearch) -> Bool {
        search.isFound(in: identity.clientID.utf8) || search.isFound(in: subscriber.peer.address.utf8)
    }
}

/// The subscriptions that ended most recently, at most ``limit``. The oldest are forgotten first.
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
    /// The hub's counters, with the current state filled in.
    package func report() -> HubCounters {
        var counters = counters
        for reader in topics {
            guard let reader else { continue }
            let head = reader.topic.publishedCount + 1
            for subscription in reader.subscriptions {
                counters.pending += subscription.pending(to: head)
                counters.largestLag = max(counters.largestLag, subscription.pending(to: head))
                counters.dropLogBytes += subscription.drops?.bytes ?? 0
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

    /// The hub's counters and the number of its subscriptions, without a look at each of them.
    package func totals() -> HubCounters {
        var counters = counters
        counters.subscriptions = subscriptionCount
        return counters
    }

    /// About how many bytes there are only for subscriptions that are or were behind, by subscriber: the messages that
    /// topics keep for them, and what they remember not to have got.
    package func heldBytes() -> [ObjectIdentifier: Int] {
        let now = clock().steady
        var held: [ObjectIdentifier: Int] = [:]
        for reader in topics {
            guard let reader else { continue }
            let excess = reader.topic.excess(now: now)
            for subscription in reader.subscriptions {
                let bytes = excess.bytes(from: subscription.cursor) + (subscription.drops?.bytes ?? 0)
                if bytes > 0 { held[ObjectIdentifier(subscription.subscriber), default: 0] += bytes }
            }
        }
        return held
    }

    /// The order in which subscriptions are listed.
    package enum ReportOrder: String, Sendable, CaseIterable {
        case lag, delivered, dropped, since

        /// Whether `left` comes before `right` in the list.
        package func precedes(_ left: SubscriptionReport, _ right: SubscriptionReport) -> Bool {
            switch self {
            case .lag: left.lag.messages > right.lag.messages
            case .delivered: left.delivered > right.delivered
            case .dropped: left.dropped > right.dropped
            case .since: left.id < right.id
            }
        }

        /// Higher ranks come first.
        fileprivate func rank(_ subscription: Subscription, head: Offset) -> Int64 {
            switch self {
            case .lag: Int64(clamping: subscription.pending(to: head))
            case .delivered: Int64(clamping: subscription.counts.delivered)
            case .dropped: Int64(clamping: subscription.counts.dropped)
            case .since: -Int64(clamping: subscription.identity.id)
            }
        }
    }

    /// Reports the first `limit` subscriptions of the hub, or of one topic.
    ///
    /// Only for these does the hub compute the full report.
    ///
    /// - Parameters:
    ///   - search: what the topic, the client id or the address has to contain; `nil` for anything.
    ///   - isVisible: which topics may be reported, by name.
    package func subscriptionReports(
        of topic: Topic? = nil,
        order: ReportOrder = .since,
        limit: Int = .max,
        search: TextSearch? = nil,
        isVisible: (String) -> Bool = { _ in true }
    ) -> [SubscriptionReport] {
        let now = clock().steady
        var ranked: [(rank: Int64, subscription: Subscription)] = []
        for reader in topics {
            guard let reader, topic == nil || reader.topic === topic, isVisible(reader.topic.name) else { continue }
            let head = reader.topic.publishedCount + 1
            let isWanted = search?.isFound(in: reader.topic.nameBytes) ?? true
            for subscription in reader.subscriptions where subscription.isActive {
                guard isWanted || search.map(subscription.matches) ?? true else { continue }
                ranked.append((order.rank(subscription, head: head), subscription))
            }
        }
        ranked.sort { $0.rank > $1.rank }
        return ranked.prefix(limit).map { _, subscription in
            let cursor = max(subscription.cursor, 1)
            var lag = subscription.topic.lag(of: cursor, now: now)
            lag.messages -= min(lag.messages, subscription.skippedRanges.count(from: cursor))
            var report = SubscriptionReport(subscription, lag: lag)
            report.heldTime = subscription.topic.heldTime(by: mailbox)
            return report
        }
    }

    /// The subscriptions that ended most recently, the latest last.
    ///
    /// - Parameters:
    ///   - search: as for ``subscriptionReports(of:order:limit:search:isVisible:)``.
    ///   - isVisible: which topics may be reported, by name.
    package func goneReports(
        search: TextSearch? = nil,
        isVisible: (String) -> Bool = { _ in true }
    ) -> [SubscriptionReport] {
        gone.all.filter { report in isVisible(report.topicName) && search.map(report.matches) ?? true }
    }
}
