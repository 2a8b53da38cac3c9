import ApusProtocol

/// What a ``Topic`` has under its lock.
struct TopicState {
    /// One hub that has subscriptions here.
    struct Reader {
        let mailbox: HubMailbox
        /// Where the hub keeps its side of this topic.
        let slot: Int
        var subscriptions: Int
        /// The oldest offset one of its subscriptions still has to read.
        var lowWaterMark: Offset
        /// Publishing waits while the head is not below this: the throttling subscription nearest to its bound.
        var publishLimit: Offset
        /// The oldest offset one of its throttling subscriptions still has to read.
        var retainFrom: Offset
        /// Whether the hub knows already that there is something to read.
        var isNotified: Bool
        /// What had been published when the hub last looked: the next offset, and bytes.
        var seen: Offset
        var seenBytes: UInt64
        /// Since when publishers wait for the hub to look, and for how long they have in all, in milliseconds.
        var heldSince: Int64?
        var heldTime: Int64 = 0
        /// Whether nobody waits any more for the hub, which has not looked for too long.
        var isPassedOver = false
    }

    /// One hub whose subscriptions want to know of others'.
    struct Watcher {
        let mailbox: HubMailbox
        let slot: Int
        var count: Int
    }

    var log: TopicLog
    var readers: [Reader] = [] {
        didSet { isSettled = false }
    }
    /// Whether all readers are notified: then a publish need not look at them.
    private var isSettled = false
    /// Before this head, and until so many bytes were published, nothing can make a publisher wait.
    var freeUntil: Offset = .max
    var freeBytes: UInt64 = .max
    var watchers: [Watcher] = []
    var waiting: [HubMailbox] = []
    var isDeleted = false
    /// Whether a message can be appended without looking at anything but it.
    var takesBareMessages: Bool
    /// Over all hubs, with the promised ones.
    var subscriptions: Int
    /// Subscriptions promised to patterns when the topic was made, which their hubs have not placed yet.
    var reservations: Int
    private(set) var settings: TopicSettings
    let limits: MemoryBroker.Limits
    private var dedupe: DedupeWindow?
    private(set) var rates = RateMeter()
    private(set) var publishedBytes: UInt64 = 0

    init(template: EventTemplate, limits: MemoryBroker.Limits, settings: TopicSettings, reservations: Int) {
        log = TopicLog(template: template, limits: TopicLog.Limits(history: limits.history, bytes: limits.topicBytes))
        self.limits = limits
        self.settings = TopicSettings()
        self.reservations = reservations
        subscriptions = reservations
        takesBareMessages = true
        change(to: settings)
    }

    mutating func change(to settings: TopicSettings) {
        self.settings = settings
        log.limits = TopicLog.Limits(
            history: settings.history ?? limits.history,
            historyAge: settings.historyAge,
            historyBytes: settings.historyBytes,
            bytes: limits.topicBytes
        )
        if let window = settings.dedupeWindow {
            if dedupe == nil { dedupe = DedupeWindow(window: window, limit: limits.dedupe) }
            dedupe?.window = limits.faults.contains(.forgetsIDsEarly) ? window / 2 : window
        } else {
            dedupe = nil
        }
        takesBareMessages = !isDeleted && dedupe == nil && settings.ttl == nil
    }

    var view: Topic.View { Topic.View(head: log.head, newest: log.newest, isDeleted: isDeleted) }

    // MARK: Publishing

    /// Takes note of messages that were appended.
    @inline(__always)
    mutating func published(_ count: Int, bytes: Int, time: Int64, wakeups: inout [Wakeup]) {
        rates.add(count, bytes: bytes, now: time)
        publishedBytes &+= UInt64(bytes)
        if !isSettled { notifyReaders(&wakeups) }
        if readers.isEmpty { log.sealPart() }
        // Readers trim when they have read; one that is busy must not let the log outgrow its bound meanwhile.
        if readers.isEmpty || log.bytes > log.limits.bytes { trim() }
    }

    private mutating func notifyReaders(_ wakeups: inout [Wakeup]) {
        // By index: a reader that is taken out of the list is retained. The same goes for other loops over readers.
        for index in readers.indices {
            guard !readers[index].isNotified else { continue }
            readers[index].isNotified = true
            wakeups.append(Wakeup(mailbox: readers[index].mailbox, slot: readers[index].slot))
        }
        isSettled = true
    }

    /// Appends a publication unless its id was published lately; where it is or was.
    mutating func append(_ publication: Publication, time: Timestamp, origin: UInt32) -> (Offset, isNew: Bool) {
        let now = limits.faults.contains(.agesByWallClock) ? time.milliseconds : time.steady
        if let older = dedupe?.offset(of: ExactText(publication.id), now: now) { return (older, false) }
        var detail: PublicationDetail?
        if publication.keyJSON != nil || publication.ttl != nil || settings.ttl != nil {
            let lifetime = publication.ttl ?? settings.ttl
            detail = PublicationDetail(
                key: publication.keyJSON,
                expires: lifetime.map { now + $0 } ?? .max
            )
        }
        let offset = log.append(publication.message, time: time, origin: origin, detail: detail)
        dedupe?.insert(ExactText(publication.id), at: offset, now: now)
        return (offset, true)
    }

    // MARK: Readers

    mutating func attach(_ attachment: Topic.Attachment) throws(BrokerError) -> Topic.Attached? {
        guard !isDeleted || attachment.claimsReservation else { return nil }
        log.seal()
        let begin = limits.faults.contains(.forgetsFirstOfNewTopics) ? log.head : 1
        let attached =
            attachment.claimsReservation
            ? Topic.Attached(cursor: begin, view: view) : try place(attachment.start, now: attachment.now)
        if attachment.claimsReservation {
            reservations -= 1
        } else if attachment.isNew {
            subscriptions += 1
        }
        let publishLimit = attachment.throttlesAt.map { log.head + UInt64($0) } ?? .max
        let retainFrom = attachment.throttlesAt == nil ? .max : attached.cursor
        if let index = readers.firstIndex(where: { $0.mailbox === attachment.mailbox }) {
            readers[index].subscriptions += attachment.isNew ? 1 : 0
            readers[index].lowWaterMark = min(readers[index].lowWaterMark, attached.cursor)
            readers[index].publishLimit = min(readers[index].publishLimit, publishLimit)
            readers[index].retainFrom = min(readers[index].retainFrom, retainFrom)
        } else {
            readers.append(
                Reader(
                    mailbox: attachment.mailbox,
                    slot: attachment.slot,
                    subscriptions: 1,
                    lowWaterMark: attached.cursor,
                    publishLimit: publishLimit,
                    retainFrom: retainFrom,
                    isNotified: false,
                    seen: log.head,
                    seenBytes: publishedBytes
                )
            )
        }
        findLimits()
        return attached
    }

    /// Where a replay starts, and whether that is where it was asked to.
    func place(_ start: ReplayStart, now: Int64) throws(BrokerError) -> Topic.Attached {
        let first = log.firstOfHistory(now: now)
        switch start {
        case .lastN(let count):
            let counted = limits.faults.contains(.countsExpired) ? .min : now
            return Topic.Attached(cursor: log.offset(ofLast: count, from: first, now: counted), view: view)
        case .all:
            return Topic.Attached(cursor: first, view: view)
        case .time(let time):
            return Topic.Attached(cursor: log.firstOffset(from: first, stampedSince: time, livingAt: now), view: view)
        case .age(let age):
            return Topic.Attached(cursor: log.firstOffset(from: first, madeSince: now - age, livingAt: now), view: view)
        case .position(log.template.epoch, let offset):
            guard offset < log.head else {
                throw BrokerError(.positionInFuture, "'since.offset' is beyond the last offset, \(log.head - 1)")
            }
            var next = offset + 1
            if limits.faults.contains(.skipsOneAfterResume), next < log.head { next += 1 }
            if limits.faults.contains(.repeatsOneAfterResume), next > first { next -= 1 }
            if next >= first { return Topic.Attached(cursor: next, view: view, isRecovered: true) }
            return Topic.Attached(cursor: first, view: view, isRecovered: false, missed: next...(first - 1))
        case .position:
            return Topic.Attached(cursor: first, view: view, isRecovered: false)
        }
    }

    /// Takes subscriptions away; the hubs whose publishers need not wait any more.
    mutating func detach(_ mailbox: HubMailbox, count: Int) -> [HubMailbox] {
        guard let index = readers.firstIndex(where: { $0.mailbox === mailbox }) else { return [] }
        subscriptions -= count
        readers[index].subscriptions -= count
        guard readers[index].subscriptions <= 0 else { return [] }
        readers.remove(at: index)
        findLimits()
        log.seal()
        trim()
        return takeWaitingIfOpen()
    }

    mutating func trim(now: Int64 = .min) {
        guard !(isDeleted && readers.isEmpty && reservations == 0) else { return log.removeAll() }
        var lowWaterMark = log.head
        // Who does not throttle holds nobody up, not by what the log keeps for it either.
        var retainFrom = Offset.max
        for index in readers.indices {
            lowWaterMark = min(lowWaterMark, readers[index].lowWaterMark)
            retainFrom = min(retainFrom, readers[index].retainFrom)
        }
        if reservations > 0 { lowWaterMark = 1 }
        log.trim(needed: lowWaterMark, retainFrom: retainFrom, now: now)
        log.dropEncodings(before: lowWaterMark)
        log.reopen(readTo: lowWaterMark)
    }

    /// Lets go of what time has made useless.
    ///
    /// - Parameter now: on the steady clock.
    /// - Returns: `false` when nothing here depends on time.
    mutating func age(to now: Int64) -> Bool {
        guard settings.historyAge != nil || log.hasLifetimes || dedupe != nil else { return false }
        dedupe?.forget(before: now)
        if log.hasLifetimes, !limits.faults.contains(.keepsExpired) { log.expire(now: now) }
        if settings.historyAge != nil { log.seal() }
        trim(now: now)
        return true
    }

    /// Gives back what was reserved for more ids and keys than there are now.
    mutating func releaseMemory() {
        dedupe?.releaseRoom()
        log.releaseRoom()
    }
}
