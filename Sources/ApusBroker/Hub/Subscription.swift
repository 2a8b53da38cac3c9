import ApusProtocol
import DequeModule
import NIOCore

/// A subscriber's place in one topic: a cursor into the topic's log. Belongs to its hub's loop.
package final class Subscription {
    package let clientID: String
    /// Unique in this process.
    let id: UInt64
    // The hot path accesses the properties marked `@exclusivity(unchecked)` many times for each delivery. Each access
    // would call the runtime to check for overlapping accesses, some 60 instructions. There are none: everything here
    // is on one loop, and no other code runs during a change. (The compiler flag for this is not allowed in a package
    // that others depend on.)
    @exclusivity(unchecked) package internal(set) var options: SubscriptionOptions
    @exclusivity(unchecked) var encoding: EventEncoding
    let subscriber: any Subscriber
    let reader: TopicReader
    /// The pattern that created this subscription.
    let pattern: PatternSubscription?
    /// Whether others are told when it begins and ends.
    let isAnnounced: Bool
    /// When it began, in milliseconds since 1970.
    let since: Int64
    /// The next offset to deliver.
    @exclusivity(unchecked) var cursor: Offset
    /// The end of the replay that the subscriber asked for. Messages before it do not count as lag.
    @exclusivity(unchecked) var replayEnd: Offset
    /// What it was offered at once and its socket did not accept, since it was last at the head.
    var burst: Burst?
    /// The messages skipped since the last announcement: their number, and their range.
    @exclusivity(unchecked) var dropped: UInt64 = 0
    var droppedRange: Range<Offset> = 0..<0
    /// Under drop-newest: the ranges to skip when the cursor reaches them, in order.
    @exclusivity(unchecked) var skippedRanges = Deque<Range<Offset>>()
    @exclusivity(unchecked) var isActive = true
    /// Whether its subscriber has accepted less than there was, and it has not caught up since.
    @exclusivity(unchecked) var isLagging = false
    /// Whether it was warned since it last caught up.
    @exclusivity(unchecked) var isWarned = false
    /// Under latest: below this head there is no need to count pending messages.
    var nextCount: Offset = 0
    /// Under throttle: the cursor at which it is stuck at its bound, and since when.
    var stalled: (cursor: Offset, since: Int64)?
    /// When publishers were last seen to wait for it, and how long they have waited in total, in milliseconds.
    var throttledAt: Int64?
    var throttledTime: Int64 = 0
    /// The subscriber's subscriptions to deleted topics of the same name. They must finish before this one starts.
    var predecessors: Succession? {
        didSet { isHeld = predecessors != nil || opening != nil }
    }
    /// If its topic was deleted: the subscriptions that wait for this one to finish.
    var succession: Succession?
    /// What the subscriber is told before the first event.
    var opening: Opening? {
        didSet { isHeld = predecessors != nil || opening != nil }
    }
    /// Whether `predecessors` or `opening` keeps it from starting.
    @exclusivity(unchecked) private(set) var isHeld = false
    /// The waiting subscription that created this one. It continues to wait when the topic is deleted.
    ///
    /// It counts against the subscriber's limit in place of this one.
    var waiting: WaitingSubscription?
    /// It receives presence news with a higher sequence than this.
    var watchesSince: UInt64 = 0
    /// Presence news not told yet because its subscriber accepted no data.
    var pendingPresence: PendingPresence?
    /// The total numbers of messages delivered and skipped.
    @exclusivity(unchecked) var deliveredCount: UInt64 = 0
    var droppedCount: UInt64 = 0
    /// Its index in its topic's list, and in its subscriber's list.
    var topicIndex = 0
    var subscriberIndex = 0

    init(
        clientID: String,
        id: UInt64,
        options: SubscriptionOptions,
        subscriber: any Subscriber,
        reader: TopicReader,
        pattern: PatternSubscription?,
        since: Int64,
        cursor: Offset,
        isAnnounced: Bool,
        replayEnd: Offset
    ) {
        self.clientID = clientID
        self.id = id
        self.options = options
        self.encoding = EventEncoding(subscriber.dialect, options.detail, framing: subscriber.framing)
        self.subscriber = subscriber
        self.reader = reader
        self.pattern = pattern
        self.since = since
        self.cursor = cursor
        self.isAnnounced = isAnnounced
        self.replayEnd = replayEnd
    }

    package var topic: Topic { reader.topic }

    /// Whether a whole batch can be delivered without other work or selection.
    @inline(__always)
    var isPlain: Bool {
        isActive && dropped == 0 && options.echo && skippedRanges.isEmpty && !isHeld
    }

    /// Encodings that only a replay reads are not kept.
    private var keepsEncodings: Bool { cursor >= replayEnd }

    /// The rest of a batch, from the cursor on.
    func slice(of batch: Batch) -> ByteBuffer {
        guard encoding.isDeflated else { return batch.slice(from: cursor, in: encoding, keeps: keepsEncodings) }
        return batch.slice(from: cursor, of: frames(of: batch))
    }

    /// The frames of a batch. They cover everything from the cursor on and may begin earlier.
    func frames(of batch: Batch) -> Batch.Frames {
        guard encoding.isDeflated, let deflation = reader.deflation else {
            return batch.frames(from: cursor, in: encoding.inflated, keeps: keepsEncodings)
        }
        return batch.deflatedFrames(from: cursor, in: encoding, keeps: keepsEncodings, by: deflation)
    }

    /// Messages before this offset do not count as lag: they belong to a replay or to a burst.
    var lagStart: Offset { max(replayEnd, burst?.end ?? 0) }

    /// How many messages it is behind `head`, not counting replay, burst and skipped ranges.
    func lag(to head: Offset) -> UInt64 {
        let start = max(cursor, lagStart)
        guard head > start else { return 0 }
        return skippedRanges.isEmpty ? head - start : head - start - heldBack(from: start)
    }

    /// The number of messages in skipped ranges, from `start` on and before `end`.
    func heldBack(from start: Offset, to end: Offset = .max) -> UInt64 {
        skippedRanges.reduce(0) { sum, skippedRange in
            let (lower, upper) = (max(skippedRange.lowerBound, start), min(skippedRange.upperBound, end))
            return lower < upper ? sum + (upper - lower) : sum
        }
    }

    /// Moves the cursor forward. Forgets the skipped ranges that it passes, in case the cursor moves back later.
    func pass(to offset: Offset) {
        cursor = offset
        while let skippedRange = skippedRanges.first, skippedRange.lowerBound < offset {
            skippedRanges.removeFirst()
            if skippedRange.upperBound > offset { skippedRanges.prepend(offset..<skippedRange.upperBound) }
        }
    }

    /// The number of messages before `head` that are still to be delivered or passed over.
    func pending(to head: Offset) -> UInt64 {
        head > cursor ? head - cursor - heldBack(from: cursor, to: head) : 0
    }
}

/// Presence news that waits until a subscriber accepts data. Beyond ``limit`` the oldest are dropped.
struct PendingPresence {
    static let limit = 100

    private(set) var news = Deque<Presence>()
    private(set) var dropped: UInt64 = 0

    mutating func add(_ presence: Presence) {
        news.append(presence)
        if news.count > Self.limit {
            news.removeFirst()
            dropped += 1
        }
    }
}

/// More than a socket accepts at once: a batch, or what was published while its loop was late.
struct Burst {
    /// Messages before this offset do not count as lag. 0 once the burst counts as lag.
    var end: Offset
    /// How much its subscriber had received at the last check; `nil` before the first check.
    var delivered: UInt64?
}

/// A hub's view of a topic.
final class TopicReader {
    let topic: Topic
    let slot: Int
    /// Compresses events on this loop; `nil` without compression.
    let deflation: Deflation?
    @exclusivity(unchecked) var subscriptions = ContiguousArray<Subscription>()
    /// The state of the log when the hub last looked.
    @exclusivity(unchecked) var head: Offset = 1
    @exclusivity(unchecked) var newest: Batch?
    /// The head at the look before the last one. Subscriptions that keep up are here.
    @exclusivity(unchecked) var seenHead: Offset = 1
    /// The oldest offset that a subscription still has to read, as last reported to the topic.
    var lowWaterMark: Offset = .max
    @exclusivity(unchecked) var isDeleted = false
    @exclusivity(unchecked) var isDirty = false
    /// During a drain, subscriptions that end are only marked. They are removed afterwards.
    @exclusivity(unchecked) var isDraining = false
    @exclusivity(unchecked) var ended: [Subscription] = []
    /// The number of subscriptions with the throttle policy.
    @exclusivity(unchecked) var throttling = 0

    init(topic: Topic, slot: Int, deflation: Deflation?) {
        self.topic = topic
        self.slot = slot
        self.deflation = deflation
    }
}
