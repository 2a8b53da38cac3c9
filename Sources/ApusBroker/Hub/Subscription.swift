import ApusProtocol
import DequeModule
import NIOCore

/// One subscriber's place in one topic: a cursor into the topic's log. Belongs to its hub's loop.
public final class Subscription {
    public let clientID: String
    /// What it is known by in this process.
    let id: UInt64
    // The hot path reads and writes what is marked so below many times for each delivery, each time with a call of the
    // runtime that looks for overlapping accesses, some 60 instructions. There are none: everything here is on one
    // loop, and nobody is called in the midst of a change. (The compiler's flag for it is not allowed in a package
    // others depend on.)
    @exclusivity(unchecked) public internal(set) var options: SubscriptionOptions
    @exclusivity(unchecked) var encoding: EventEncoding
    let subscriber: any Subscriber
    let reader: TopicReader
    /// The pattern that brought it here.
    let pattern: PatternSubscription?
    /// Whether others are told that it comes and goes.
    let isAnnounced: Bool
    /// When it began, in milliseconds since 1970.
    let since: Int64
    /// The next offset to deliver.
    @exclusivity(unchecked) var cursor: Offset
    /// The replay the subscriber asked for ends here. What lies before it does not count as lag.
    @exclusivity(unchecked) var replayEnd: Offset
    /// What it was offered at once and its socket did not take, since it last had everything.
    var burst: Burst?
    /// Skipped since the last delivery, not announced yet; and which those are.
    @exclusivity(unchecked) var dropped: UInt64 = 0
    var droppedRange: Range<Offset> = 0..<0
    /// Under drop-newest: what will be skipped when the cursor comes there, in order.
    @exclusivity(unchecked) var skippedRanges = Deque<Range<Offset>>()
    @exclusivity(unchecked) var isActive = true
    /// Whether its subscriber has taken less than there was, and it has not caught up since.
    @exclusivity(unchecked) var isLagging = false
    /// Whether it was warned since it last caught up.
    @exclusivity(unchecked) var isWarned = false
    /// Under latest: below this head there is no need to count what is pending.
    var nextCount: Offset = 0
    /// Since when, and where, it has stood at its bound under the throttle policy.
    var stalled: (cursor: Offset, since: Int64)?
    /// When publishers were last seen to wait for it, and for how long in all, in milliseconds.
    var throttledAt: Int64?
    var throttledTime: Int64 = 0
    /// The subscriber's subscriptions to deleted topics of the same name: they come to their end before this one
    /// starts.
    var predecessors: Succession? {
        didSet { isHeld = predecessors != nil || opening != nil }
    }
    /// Of one whose topic is gone: who waits for its end.
    var succession: Succession?
    /// What it is told before its first event.
    var opening: Opening? {
        didSet { isHeld = predecessors != nil || opening != nil }
    }
    /// Whether any of these two is in its way.
    @exclusivity(unchecked) private(set) var isHeld = false
    /// What waits on when its topic is gone, and counts for it.
    var waiting: WaitingSubscription?
    /// News of others' subscriptions with a higher sequence are for it.
    var watchesSince: UInt64 = 0
    /// What it has not been told of others' subscriptions because its subscriber took nothing.
    var pendingPresence: PendingPresence?
    /// All that was delivered to it, and all that was skipped.
    @exclusivity(unchecked) var deliveredCount: UInt64 = 0
    var droppedCount: UInt64 = 0
    /// Its place in its topic's list, and in its subscriber's.
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

    public var topic: Topic { reader.topic }

    /// Whether there is nothing to see to before it is given a batch, and none of the batch to be left out.
    @inline(__always)
    var isPlain: Bool {
        isActive && dropped == 0 && options.echo && skippedRanges.isEmpty && !isHeld
    }

    /// What only a replay reads is not kept in its encoding.
    private var keepsEncodings: Bool { cursor >= replayEnd }

    /// The rest of a batch, from the cursor on.
    func slice(of batch: Batch) -> ByteBuffer {
        guard encoding.isDeflated else { return batch.slice(from: cursor, in: encoding, keeps: keepsEncodings) }
        return batch.slice(from: cursor, of: frames(of: batch))
    }

    /// At least the frames of a batch from the cursor on.
    func frames(of batch: Batch) -> Batch.Frames {
        guard encoding.isDeflated, let deflation = reader.deflation else {
            return batch.frames(from: cursor, in: encoding.inflated, keeps: keepsEncodings)
        }
        return batch.deflatedFrames(from: cursor, in: encoding, keeps: keepsEncodings, by: deflation)
    }

    /// What lies before this does not count as lag: its replay, and what it was offered at once.
    var lagStart: Offset { max(replayEnd, burst?.end ?? 0) }

    /// How many messages it is behind `head`, without those of its replay and those that will be skipped.
    func lag(to head: Offset) -> UInt64 {
        let start = max(cursor, lagStart)
        guard head > start else { return 0 }
        return skippedRanges.isEmpty ? head - start : head - start - heldBack(from: start)
    }

    /// How many messages from `start` on, and before `end`, will be skipped by holes.
    func heldBack(from start: Offset, to end: Offset = .max) -> UInt64 {
        skippedRanges.reduce(0) { sum, skippedRange in
            let (lower, upper) = (max(skippedRange.lowerBound, start), min(skippedRange.upperBound, end))
            return lower < upper ? sum + (upper - lower) : sum
        }
    }

    /// Moves the cursor on. A hole that it leaves behind is none any more, should it be moved back.
    func pass(to offset: Offset) {
        cursor = offset
        while let skippedRange = skippedRanges.first, skippedRange.lowerBound < offset {
            skippedRanges.removeFirst()
            if skippedRange.upperBound > offset { skippedRanges.prepend(offset..<skippedRange.upperBound) }
        }
    }

    /// How many messages up to `head` are still to be delivered, or passed by.
    func pending(to head: Offset) -> UInt64 {
        head > cursor ? head - cursor - heldBack(from: cursor, to: head) : 0
    }
}

/// News of others' subscriptions that wait for a subscriber to take more; beyond ``limit`` the oldest are dropped.
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

/// More than a socket takes at once: a batch, or what came while its loop was late.
struct Burst {
    /// What lies before this does not count as lag; 0 once it does.
    var end: Offset
    /// How much its subscriber had been given when that was last looked at; `nil` until then.
    var delivered: UInt64?
}

/// A hub's side of a topic.
final class TopicReader {
    let topic: Topic
    let slot: Int
    /// What compresses events on this loop, where any are.
    let deflation: Deflation?
    @exclusivity(unchecked) var subscriptions = ContiguousArray<Subscription>()
    /// What the hub knows of the log since it last looked.
    @exclusivity(unchecked) var head: Offset = 1
    @exclusivity(unchecked) var newest: Batch?
    /// The head at the look before that: where those who keep up are.
    @exclusivity(unchecked) var seenHead: Offset = 1
    /// The oldest offset that a subscription has to read, as the topic was told last.
    var lowWaterMark: Offset = .max
    @exclusivity(unchecked) var isDeleted = false
    @exclusivity(unchecked) var isDirty = false
    /// While the list is walked, subscriptions that end are only marked, and taken out afterwards.
    @exclusivity(unchecked) var isDraining = false
    @exclusivity(unchecked) var ended: [Subscription] = []
    /// How many subscriptions have the throttle policy.
    @exclusivity(unchecked) var throttling = 0

    init(topic: Topic, slot: Int, deflation: Deflation?) {
        self.topic = topic
        self.slot = slot
        self.deflation = deflation
    }
}
