import ApusProtocol
import NIOCore

/// A subscriber's place in one topic: a cursor into the topic's log. Belongs to its hub's loop.
package final class Subscription {
    let identity: Identity
    let subscriber: any Subscriber
    let reader: TopicReader
    /// The pattern that created this subscription.
    let pattern: PatternSubscription?
    // The hot path accesses the properties marked `@exclusivity(unchecked)` many times for each delivery. Each access
    // would call the runtime to check for overlapping accesses, some 60 instructions. There are none: everything here
    // is on one loop, and no other code runs during a change. (The compiler flag for this is not allowed in a package
    // that others depend on.)
    @exclusivity(unchecked) package internal(set) var options: SubscriptionOptions
    @exclusivity(unchecked) var encoding: EventEncoding
    @exclusivity(unchecked) var isActive = true
    /// Whether its subscriber has closed, and it is still to be taken out of its topic.
    @exclusivity(unchecked) var isLeaving = false
    /// The next offset to deliver.
    @exclusivity(unchecked) var cursor: Offset
    /// The first offset that it was to get.
    var begin: Offset
    @exclusivity(unchecked) var lag: LagState
    /// What it missed and was not told of.
    @exclusivity(unchecked) var gap = Gap()
    @exclusivity(unchecked) var skippedRanges = SkippedRanges()
    @exclusivity(unchecked) var overflow: Overflow
    var stall = Stall()
    @exclusivity(unchecked) var counts = Counts()
    /// What must happen before its first event.
    @exclusivity(unchecked) var start = StartConditions()
    /// Set while its place is not in memory.
    @exclusivity(unchecked) var archive: ArchiveReading?
    /// If its topic was deleted: the subscriptions that wait for this one to finish.
    var successions: [Succession] = []
    /// What it did not get; `nil` if it got everything.
    var drops: DropLog?
    /// The waiting subscription that created this one. It continues to wait when the topic is deleted.
    ///
    /// It counts against the subscriber's limit in place of this one.
    var waiting: WaitingSubscription?
    var presence = PresenceWatch()
    /// Whether it is in the hub's list of those to be served in the next turn.
    var isReplaying = false
    /// Its index in its topic's list, and in its subscriber's list.
    var topicIndex = 0
    var subscriberIndex = 0

    init(
        _ identity: Identity,
        options: SubscriptionOptions,
        subscriber: any Subscriber,
        reader: TopicReader,
        pattern: PatternSubscription?,
        cursor: Offset,
        replayEnd: Offset
    ) {
        self.identity = identity
        self.options = options
        self.encoding = options.encoding(for: subscriber)
        self.subscriber = subscriber
        self.reader = reader
        self.pattern = pattern
        self.cursor = cursor
        self.begin = cursor
        self.lag = LagState(replayEnd: replayEnd)
        self.overflow = Overflow(options)
    }

    package var topic: Topic { reader.topic }

    /// Whether it belongs into its topic's list.
    var isInTopic: Bool { isActive || isLeaving }

    /// Whether a whole batch can be delivered without other work or selection.
    @inline(__always)
    var isPlain: Bool {
        isActive && gap.isEmpty && options.echo && skippedRanges.isEmpty && start.isMet
    }

    /// Encodings that only a replay reads are not kept.
    private var keepsEncodings: Bool { cursor >= lag.replayEnd }

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

    /// How far it is behind the head that its hub knows.
    var backlog: Overflow.Backlog {
        let head = reader.head
        let start = max(cursor, lag.start)
        let count = head > start ? head - start - skippedRanges.count(from: start) : 0
        let mayWarn = options.detail != .plain && !lag.isWarned
        return Overflow.Backlog(cursor: cursor, head: head, lag: count, mayWarn: mayWarn)
    }

    /// Records that it misses `count` messages between the cursor and `offset`.
    func miss(_ count: UInt64, before offset: Offset) {
        gap.add(count, in: cursor..<offset)
        counts.dropped += count
    }

    /// Moves the cursor forward. Forgets the skipped ranges that it passes, in case the cursor moves back later.
    func pass(to offset: Offset) {
        cursor = offset
        skippedRanges.pass(to: offset)
    }

    /// The number of messages before `head` that are still to be delivered or passed over.
    func pending(to head: Offset) -> UInt64 {
        head > cursor ? head - cursor - skippedRanges.count(from: cursor, to: head) : 0
    }
}
