package import ApusProtocol
import DequeModule
import NIOCore

/// The local fan-out of one event loop: its subscribers and what they still have to receive.
///
/// ```
/// publish ──► Topic.log ──► wake-up, once a turn ──► turn(): for every topic with news,
///                                                   for every subscription behind its head, one slice
/// ```
/// A hub belongs to one loop and needs no lock. Other threads reach it through its ``mailbox``. The loop first
/// processes the input of its sockets. One turn then delivers everything that was published meanwhile.
package final class Hub {
    package let mailbox: HubMailbox
    let broker: any Broker
    let clock: () -> Moment
    @exclusivity(unchecked) var topics: [TopicReader?] = []
    var freeSlots: [Int] = []
    var slotOfTopic: [ObjectIdentifier: Int] = [:]
    @exclusivity(unchecked) var cache = TopicCache()
    @exclusivity(unchecked) package internal(set) var counters = HubCounters()
    /// The number of subscriptions in topics: what a walk through ``topics`` would count.
    var subscriptionCount = 0
    var patterns: [FilterID: PatternSubscription] = [:]
    var waits: [FilterID: WaitingSubscription] = [:]
    /// While new topics are claimed: for each subscriber, its latest reader and the succession found for it.
    var successions: [ObjectIdentifier: (reader: TopicReader, succession: Succession?)] = [:]
    var isClaiming = false
    var gone = GoneSubscriptions()
    /// The subscriptions that have a ``LagState/burst``.
    var bursts: [Subscription] = []
    /// How long news from other loops waited for this one, and how late its timers fired.
    package internal(set) var loopLag = LatencyHistogram()
    @exclusivity(unchecked) var rounds = DeliveryRounds()
    /// Without it nothing is compressed, whatever encodings subscribers support.
    let deflation: Deflation?

    /// The work of the next turn. A turn walks one list while its twin collects work for the next turn.
    @exclusivity(unchecked) var dirty: [TopicReader] = []
    @exclusivity(unchecked) private var draining: [TopicReader] = []
    @exclusivity(unchecked) private var flushing: [any Subscriber] = []
    @exclusivity(unchecked) private var flushed: [any Subscriber] = []
    @exclusivity(unchecked) var replaying: [Subscription] = []
    @exclusivity(unchecked) private var resuming: [any Subscriber] = []
    @exclusivity(unchecked) var isPumping = false
    @exclusivity(unchecked) private var remote: [Wakeup] = []
    @exclusivity(unchecked) var wakeups: [Wakeup] = []
    var waiting: [ObjectIdentifier: WaitingPublishers] = [:]
    /// The topics that this turn names to the journal, and the publishers whose publishes it has to keep.
    @exclusivity(unchecked) var uncommitted: [Topic] = []
    var awaited: [ObjectIdentifier: [any CommitWaiter]] = [:]
    /// What has to be kept before the last publish whose outcome was ``PublishOutcome/uncommitted(_:)`` is published.
    @exclusivity(unchecked) package internal(set) var newestCommit: Commit?
    /// The number of topics with the same name that the hub reads. Above 1, deleted topics are still being read.
    var topicsOfName: [ExactText: Int] = [:]
    /// Whose drain goes on in the next turn.
    @exclusivity(unchecked) var unfinished: [TopicReader] = []
    @exclusivity(unchecked) var presence = PresenceQueue()
    @exclusivity(unchecked) var leaving = Leaving()
    var archiveReads = ArchiveReads()
    var dropExamples = DropExamples()
    /// Told of drains with messages whose traces are recorded; `nil` if nobody records any.
    package var spanWatch: (any SpanWatch)?
    /// How many of ``TurnLimits/endings`` are left.
    @exclusivity(unchecked) var endingsLeft: Int
    /// New topics in which subscriptions are promised, and not placed yet.
    @exclusivity(unchecked) var promised = Deque<HubMailbox.Match>()
    /// How much one turn does.
    @exclusivity(unchecked) package var limits: TurnLimits
    /// How much of ``TurnLimits/bytes`` is left, for what is delivered now.
    @exclusivity(unchecked) var left: Int
    /// Whether the current turn will still flush what is delivered now.
    @exclusivity(unchecked) private var willFlush = false
    @exclusivity(unchecked) private var isTurnRequested = false

    /// Creates a hub. Other threads wake it through `mailbox`.
    ///
    /// - Parameters:
    ///   - compression: how to compress events for subscribers that support it; `nil` for no compression.
    ///   - limits: how much one turn does.
    package init(
        broker: any Broker,
        mailbox: HubMailbox,
        compression: MessageCompressor.Settings? = nil,
        limits: TurnLimits = TurnLimits(),
        clock: @escaping () -> Moment
    ) {
        self.broker = broker
        self.mailbox = mailbox
        self.clock = clock
        self.limits = limits
        left = limits.bytes
        endingsLeft = limits.endings
        deflation = compression.map(Deflation.init)
    }

    /// Compresses this loop's messages.
    package var compressor: MessageCompressor? { deflation?.compressor }

    /// The current time in milliseconds on the steady clock. Lifetimes use it.
    var passed: Int64 { clock().steady }

    // MARK: Turns

    /// Marks this hub's topics as dirty, and leaves the other hubs' wake-ups to the next turn.
    func sendWakeups() {
        // Taken one by one: to empty an array at once takes five times as many instructions, and most have one element.
        while let wakeup = wakeups.popLast() {
            if wakeup.mailbox === mailbox {
                rounds.noteNews()
                markDirty(slot: wakeup.slot)
            } else {
                rounds.noteNewsForOthers()
                remote.append(wakeup)
                requestTurn()
            }
        }
    }

    /// Records that a timer fired `milliseconds` late.
    package func noteLate(by milliseconds: Int64) {
        loopLag.add(UInt64(max(milliseconds, 0)) * 1_000_000)
    }

    /// Schedules a turn after the loop's current work.
    func requestTurn() {
        guard !isTurnRequested else { return }
        isTurnRequested = true
        mailbox.requestTurn()
    }

    /// Makes the hub call the subscriber's ``Subscriber/flush()`` at the end of the turn.
    package func flushLater(_ subscriber: any Subscriber) {
        flushing.append(subscriber)
        if !willFlush { requestTurn() }
    }

    /// Delivers what was published, lets waiting publishers continue, and wakes the other loops.
    ///
    /// It does so much as its ``limits`` allow, and asks for another turn if there is more.
    package func turn() {
        // Set until the inbox is processed. Otherwise processing it would request another turn.
        isTurnRequested = true
        let inbox = mailbox.take()
        if !remote.isEmpty { wakeOthers() }
        if !uncommitted.isEmpty { commit() }
        if let inbox {
            if let since = inbox.since { loopLag.add(HubMailbox.now() - since) }
            rounds.postpone(inbox.taken)
            sortIn(inbox)
        }
        endingsLeft = limits.endings
        if !leaving.isEmpty { clearUp() }
        if !promised.isEmpty { claim(atMost: limits.claims) }
        isTurnRequested = false
        willFlush = true
        if let inbox {
            for commit in inbox.settled { settle(commit) }
            for read in inbox.reads { take(read) }
        }
        if !presence.isEmpty { tellNews() }
        // Resume publishers before the drains: their messages go out with them, and publishers of other loops are not
        // always first.
        if let inbox {
            for topic in inbox.resumed { resumePublishers(of: topic) }
        }
        drainAll()
        if !resuming.isEmpty { resumeAll() }
        if !replaying.isEmpty { replayAll() }
        willFlush = false
        swap(&flushing, &flushed)
        for subscriber in flushed { subscriber.flush() }
        flushed.removeAll(keepingCapacity: true)
        rounds.end(in: &counters.deliveryTimes)
        left = limits.bytes
        endingsLeft = limits.endings
        if hasMore { requestTurn() }
    }

    private var hasMore: Bool {
        !dirty.isEmpty || !unfinished.isEmpty || !replaying.isEmpty || !promised.isEmpty || !presence.isEmpty
            || !leaving.isEmpty
    }

    /// Drains the topics with news, and goes on with those whose drain was too much for the last turn.
    private func drainAll() {
        let goingOn = unfinished.isEmpty ? [] : unfinished
        if !goingOn.isEmpty { unfinished = [] }
        swap(&dirty, &draining)
        let taken = rounds.takeNews()
        for reader in draining {
            guard left > 0 else {
                dirty.append(reader)
                rounds.postpone(taken)
                continue
            }
            reader.isDirty = false
            if reader.part == nil { drain(reader, taken) } else { noteNews(of: reader, taken) }
        }
        draining.removeAll(keepingCapacity: true)
        left = limits.bytes
        for (index, reader) in goingOn.enumerated() {
            guard left > 0 else {
                unfinished = goingOn[index...] + unfinished
                break
            }
            drain(reader, DeliveryRounds.none)
        }
        left = limits.bytes
    }

    /// Releases the capacity of the turn's own lists, as part of ``releaseMemory()``.
    func releaseLists() {
        cache.releaseMemory()
        dirty.releaseRoom()
        draining.releaseRoom()
        flushing.releaseRoom()
        flushed.releaseRoom()
        replaying.releaseRoom()
        unfinished.releaseRoom()
        if promised.isEmpty { promised = [] }
        if presence.isEmpty { presence = PresenceQueue() }
        remote.releaseRoom()
        wakeups.releaseRoom()
    }

    func wakeOthers() {
        let taken = rounds.takeNewsForOthers()
        for wakeup in remote { wakeup.mailbox.post([wakeup.slot], taken: taken) }
        remote.removeAll(keepingCapacity: true)
    }

    private func sortIn(_ inbox: HubMailbox.Inbox) {
        promised += inbox.matched
        presence.add(inbox)
        for slot in inbox.slots { markDirty(slot: slot) }
    }

    private func resumeAll() {
        let resumed = resuming
        resuming = []
        for subscriber in resumed { resume(subscriber) }
    }

    private func replayAll() {
        let replays = replaying
        replaying = []
        for (index, subscription) in replays.enumerated() {
            guard left > 0 else {
                replaying = replays[index...] + replaying
                return
            }
            subscription.isReplaying = false
            guard subscription.isActive else { continue }
            goOn(with: subscription)
            let reader = subscription.reader
            if reader.throttling > 0 || reader.topic.isFull { markDirty(slot: reader.slot) }
        }
    }

    /// Makes the next turn deliver what a subscription accepts.
    func replayLater(_ subscription: Subscription) {
        guard !subscription.isReplaying else { return }
        subscription.isReplaying = true
        replaying.append(subscription)
        requestTurn()
    }

    /// Delivers what a subscription accepts.
    ///
    /// If it was the last subscription to read something, the topic hears of that in the next turn.
    private func goOn(with subscription: Subscription) {
        let (reader, start) = (subscription.reader, subscription.cursor)
        if pump(subscription) { replayLater(subscription) }
        if start <= reader.lowWaterMark, subscription.cursor >= reader.head { markDirty(slot: reader.slot) }
    }

    /// Whether the subscriber has received everything that this hub knows of.
    package func isCaughtUp(_ subscriber: any Subscriber) -> Bool {
        subscriber.subscriptions.all.allSatisfy { $0.cursor >= $0.reader.head && $0.gap.isEmpty }
    }

    /// Continues delivery to a subscriber that accepts data again.
    package func resume(_ subscriber: any Subscriber) {
        // A flush during a delivery made room. That delivery continues by itself; the other subscriptions follow later.
        // So do subscribers for whom this turn has no more.
        guard !isPumping, left > 0 else {
            resuming.append(subscriber)
            return requestTurn()
        }
        for subscription in subscriber.subscriptions.all where subscription.isActive {
            let reader = subscription.reader
            // Publishers may be waiting for exactly this subscription.
            if reader.throttling > 0 || reader.topic.isFull { markDirty(slot: reader.slot) }
            if subscription.presence.pending != nil { tellPending(subscription) }
            guard subscription.isActive,
                subscription.cursor < reader.head || reader.isDeleted || !subscription.start.isMet
            else { continue }
            goOn(with: subscription)
        }
    }
}
