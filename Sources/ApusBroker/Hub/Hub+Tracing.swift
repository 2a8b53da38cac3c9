import ApusProtocol
import DequeModule

// Where a message went.

/// What became of a message for the subscriptions of one hub, or of several.
package struct TraceReport: Sendable {
    package struct Row: Sendable {
        /// Rises with each new subscription.
        package let id: UInt64
        package let clientID: String
        package let peer: SubscriberPeer
        /// The pattern that created the subscription.
        package let pattern: String?
        /// When the subscription began, in milliseconds since 1970.
        package let since: Int64
        package let outcome: DeliveryOutcome

        init(_ report: SubscriptionReport, _ outcome: DeliveryOutcome) {
            (id, clientID, peer, pattern) = (report.id, report.clientID, report.peer, report.pattern)
            (since, self.outcome) = (report.since, outcome)
        }

        fileprivate static func precedes(_ left: Row, _ right: Row) -> Bool {
            (left.outcome.rank, left.id) < (right.outcome.rank, right.id)
        }
    }

    /// How many subscriptions have each outcome, by its name.
    package var counts: [String: Int] = [:]
    /// Those that did not get it first; not all of them.
    package var rows: [Row] = []
    /// Subscriptions that have ended, and were there when it was published.
    package var gone: [Row] = []

    package init() {}

    /// - Parameter limit: how many rows are left of each kind.
    package mutating func add(_ other: TraceReport, limit: Int) {
        counts.merge(other.counts, uniquingKeysWith: +)
        rows = Array((rows + other.rows).sorted(by: Row.precedes).prefix(limit))
        gone = Array((gone + other.gone).sorted(by: Row.precedes).prefix(limit))
    }
}

extension Hub {
    /// What became of a message of a topic.
    package func trace(_ message: TracedMessage, of topic: Topic, limit: Int) -> TraceReport {
        var report = TraceReport()
        var found: [(rank: Int, subscription: Subscription, outcome: DeliveryOutcome)] = []
        if let slot = slotOfTopic[ObjectIdentifier(topic)], let reader = topics[slot] {
            for subscription in reader.subscriptions where subscription.isActive {
                let outcome = DeliveryTrail(subscription).outcome(of: message)
                report.counts[outcome.name, default: 0] += 1
                found.append((outcome.rank, subscription, outcome))
            }
        }
        found.sort { ($0.rank, $0.subscription.identity.id) < ($1.rank, $1.subscription.identity.id) }
        report.rows = found.prefix(limit).map { _, subscription, outcome in
            TraceReport.Row(SubscriptionReport(subscription, lag: Topic.Lag()), outcome)
        }
        for ended in gone.all where ended.topicName == topic.name && ended.trail.epoch == topic.epoch {
            let outcome = ended.trail.outcome(of: message, end: ended.end)
            if outcome != .later, report.gone.count < limit { report.gone.append(TraceReport.Row(ended, outcome)) }
        }
        return report
    }
}
