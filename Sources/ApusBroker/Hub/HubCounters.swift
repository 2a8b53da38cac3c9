public import ApusProtocol

/// What a hub has done since it was made. At any quiet moment, over all hubs:
///
/// ```
/// matched + replayed = delivered + dropped + expired + conflated + own + pending
/// ```
public struct HubCounters: Sendable, Equatable {
    /// Messages taken into logs.
    public var published: UInt64 = 0
    /// Message times subscriptions they were for.
    public var matched: UInt64 = 0
    /// Messages not taken because their ids were published lately.
    public var duplicates: UInt64 = 0
    /// Kept messages that subscriptions asked for again.
    public var replayed: UInt64 = 0
    /// Handed to a subscriber.
    public var delivered: UInt64 = 0
    /// Skipped by the policies that skip the oldest.
    public var droppedOldest: UInt64 = 0
    /// Skipped by the one that skips the newest.
    public var droppedNewest: UInt64 = 0
    /// Pushed out by the bound on a topic's bytes.
    public var droppedBytes: UInt64 = 0
    /// Pending when their subscription ended.
    public var droppedEnded: UInt64 = 0
    /// Passed by because their time was up.
    public var expired: UInt64 = 0
    /// Passed by because a later one with the same key was pending too.
    public var conflated: UInt64 = 0
    /// Passed by because the subscriber itself had published them.
    public var selfPublished: UInt64 = 0
    /// Still to be delivered. Filled in by ``Hub/report()``.
    public var pending: UInt64 = 0
    /// The most any subscription is behind. Filled in by ``Hub/report()``.
    public var largestLag: UInt64 = 0
    /// How often a publish was put off because another loop was behind.
    public var held: UInt64 = 0
    /// Publishers that wait for a subscription. Filled in by ``Hub/report()``.
    public var throttledPublishers = 0
    /// Publishers that wait for another loop. Filled in by ``Hub/report()``.
    public var heldPublishers = 0
    /// Subscriptions. Filled in by ``Hub/report()``.
    public var subscriptions = 0
    /// Subscriptions that wait for their topic. Filled in by ``Hub/report()``.
    public var waiting = 0

    /// What was compressed. Filled in by ``Hub/report()``.
    public var compression = MessageCompressor.Counters()

    public init() {}

    public static func + (left: HubCounters, right: HubCounters) -> HubCounters {
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
        sum.held += right.held
        sum.throttledPublishers += right.throttledPublishers
        sum.heldPublishers += right.heldPublishers
        sum.subscriptions += right.subscriptions
        sum.waiting += right.waiting
        sum.compression += right.compression
        return sum
    }

    /// What the two sides of the books come to.
    public var books: (owed: UInt64, accounted: UInt64) {
        let dropped = droppedOldest + droppedNewest + droppedBytes + droppedEnded
        return (matched + replayed, delivered + dropped + expired + conflated + selfPublished + pending)
    }
}
