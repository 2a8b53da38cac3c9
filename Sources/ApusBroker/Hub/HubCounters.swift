package import ApusProtocol

/// What a hub has done since it was created.
///
/// When nothing is in progress, this holds for the sum over all hubs:
///
/// ```
/// matched + replayed = delivered + dropped + expired + conflated + selfPublished + pending
/// ```
package struct HubCounters: Sendable, Equatable {
    /// Messages appended to logs.
    package var published: UInt64 = 0
    /// For each message, the number of subscriptions that it is for.
    package var matched: UInt64 = 0
    /// Messages refused because their ids were within the dedupe window.
    package var duplicates: UInt64 = 0
    /// Stored messages that subscriptions asked for again.
    package var replayed: UInt64 = 0
    /// Messages passed to a subscriber.
    package var delivered: UInt64 = 0
    /// Messages skipped by the policies drop-oldest and latest.
    package var droppedOldest: UInt64 = 0
    /// Messages skipped by the policy drop-newest.
    package var droppedNewest: UInt64 = 0
    /// Messages that subscriptions missed because of the bound on a topic's bytes.
    package var droppedBytes: UInt64 = 0
    /// Messages that were pending when their subscription ended.
    package var droppedEnded: UInt64 = 0
    /// Messages passed over because they had expired.
    package var expired: UInt64 = 0
    /// Messages passed over because a later one with the same key was also pending.
    package var conflated: UInt64 = 0
    /// Messages passed over because the subscriber itself published them.
    package var selfPublished: UInt64 = 0
    /// Messages still to be delivered. Filled in by ``Hub/report()``.
    package var pending: UInt64 = 0
    /// The largest lag of a subscription, in messages. Filled in by ``Hub/report()``.
    package var largestLag: UInt64 = 0
    /// Publishes refused because their topic's rate was used up.
    package var rateLimited: UInt64 = 0
    /// How often a publisher had to wait because another loop was behind.
    package var held: UInt64 = 0
    /// Publishers that wait for a subscription. Filled in by ``Hub/report()``.
    package var throttledPublishers = 0
    /// Publishers that wait for another loop. Filled in by ``Hub/report()``.
    package var heldPublishers = 0
    /// Subscriptions. Filled in by ``Hub/report()``.
    package var subscriptions = 0
    /// Subscriptions that wait for their topic. Filled in by ``Hub/report()``.
    package var waiting = 0
    /// About how many bytes subscriptions take to remember what they did not get. Filled in by ``Hub/report()``.
    package var dropLogBytes = 0

    /// How long messages took to get from their publishers to the sockets of all subscribers: a value for each turn.
    package var deliveryTimes = LatencyHistogram()

    /// Counters of the compressor. Filled in by ``Hub/report()``.
    package var compression = MessageCompressor.Counters()

    package init() {}

    package static func + (left: HubCounters, right: HubCounters) -> HubCounters {
        var sum = left
        sum.published += right.published
        sum.matched += right.matched
        sum.duplicates += right.duplicates
        sum.replayed += right.replayed
        sum.delivered += right.delivered
        sum.droppedOldest += right.droppedOldest
        sum.droppedNewest += right.droppedNewest
        sum.droppedBytes += right.droppedBytes
        sum.droppedEnded += right.droppedEnded
        sum.expired += right.expired
        sum.conflated += right.conflated
        sum.selfPublished += right.selfPublished
        sum.pending += right.pending
        sum.largestLag = max(left.largestLag, right.largestLag)
        sum.rateLimited += right.rateLimited
        sum.held += right.held
        sum.throttledPublishers += right.throttledPublishers
        sum.heldPublishers += right.heldPublishers
        sum.subscriptions += right.subscriptions
        sum.waiting += right.waiting
        sum.dropLogBytes += right.dropLogBytes
        sum.deliveryTimes = left.deliveryTimes + right.deliveryTimes
        sum.compression += right.compression
        return sum
    }

    /// The totals of both sides of the equation above.
    package var books: (owed: UInt64, accounted: UInt64) {
        let dropped = droppedOldest + droppedNewest + droppedBytes + droppedEnded
        return (matched + replayed, delivered + dropped + expired + conflated + selfPublished + pending)
    }
}
