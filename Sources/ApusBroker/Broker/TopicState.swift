import ApusProtocol

/// The part of a ``Topic`` that its lock guards.
struct TopicState {
    /// A hub that has subscriptions to this topic.
    struct Reader {
        let mailbox: HubMailbox
        /// The slot where the hub keeps its ``TopicReader`` for this topic.
        let slot: Int
        var subscriptions: Int
        /// The oldest offset that one of the hub's subscriptions still has to read.
        var lowWaterMark: Offset
        /// Publishers wait while the head is at or above this offset. The throttling subscription nearest to its bound
        /// sets it.
        var publishLimit: Offset
        /// The oldest offset that one of the hub's throttling subscriptions still has to read.
        var retainFrom: Offset
        /// The oldest offset that one of the hub's subscriptions still has to read from the journal.
        var archiveMark = Offset.max
        /// Whether the hub already knows that there is something to read.
        var isNotified: Bool
        /// The head and the published bytes when the hub last looked at the topic.
        var seen: Offset
        var seenBytes: UInt64
        /// The start of the current wait for the hub, on the monotonic clock, and the total of earlier waits.
        ///
        /// Both in milliseconds.
        var heldSince: Int64?
        var heldTime: Int64 = 0
        /// Whether the hub takes several turns to deliver what it has seen. Its own publishers then wait for it, too.
        var isInParts = false
        /// Whether publishers no longer wait for the hub, because it has not looked for too long.
        var isPassedOver = false
    }

    /// A hub with subscriptions that receive presence news.
    struct Watcher {
        let mailbox: HubMailbox
        let slot: Int
        var count: Int
    }

    var log: TopicLog
    var readers: [Reader] = [] {
        didSet { isSettled = false }
    }
    /// Whether there are readers and all are notified. A publish then need not visit them.
    private var isSettled = false
    /// Nothing makes a publisher wait while the head is below the first value and the published bytes below the second.
    var freeUntil: Offset = .max
    var freeBytes: UInt64 = .max
    var watchers: [Watcher] = []
    var waiting: [HubMailbox] = []
    var isDeleted = false
    /// Whether a bare message can be appended: the topic is not deleted, and has no dedupe window, lifetime or rate.
    var takesBareMessages: Bool
    /// Subscriptions of all hubs, including reserved ones.
    var subscriptions: Int
    /// Subscriptions that were reserved when the topic was created and that their hubs have not placed yet.
    ///
    /// Patterns that match the topic reserve them, and so do subscriptions that wait for its name.
    var reservations: Int
    private(set) var settings: TopicSettings
    let limits: MemoryBroker.Limits
    var dedupe: DedupeWindow?
    /// What is published and not kept yet; `nil` if the topic keeps nothing beyond the process.
    var uncommitted: Uncommitted?
    /// What can be read back; `nil` if nothing was ever kept.
    var archive: Archive?
    /// Before this offset, the journal has nothing that belongs to what comes after it.
    var archiveStart: Offset = 0
    /// What the topic's messages survive, and what they survive unless its settings say otherwise.
    private(set) var durability = Durability.memory
    let standardDurability: Durability
    /// Whether the topic is to be deleted once its publishes are kept, or have failed.
    var isDeletionDue = false
    private var rate: TopicRate
    private(set) var rates = RateMeter()
    private(set) var publishedBytes: UInt64 = 0

    init(
        template: EventTemplate,
        limits: MemoryBroker.Limits,
        rate: RateLimit?,
        settings: TopicSettings,
        reservations: Int,
        durability: Durability
    ) {
        log = TopicLog(template: template, limits: TopicLog.Limits(history: limits.history, bytes: limits.topicBytes))
        self.limits = limits
        self.rate = TopicRate(standard: rate)
        self.settings = TopicSettings()
        self.reservations = reservations
        subscriptions = reservations
        takesBareMessages = true
        standardDurability = durability
        change(to: settings)
    }

    mutating func change(to settings: TopicSettings) {
        self.settings = settings
        log.limits = TopicLog.Limits(
            history: settings.history ?? limits.history,
            historyAge: settings.historyAge,
            historyBytes: settings.historyBytes,
            bytes: limits.topicBytes,
            tail: limits.tailBytes
        )
        if let window = settings.dedupeWindow {
            if dedupe == nil { dedupe = DedupeWindow(window: window, limit: limits.dedupe) }
            dedupe?.window = window
        } else {
            dedupe = nil
        }
        // What several machines keep, all of them keep in the same way.
        let isFree = standardDurability < .replicatedUnsynced
        durability = isFree ? min(settings.durability ?? standardDurability, standardDurability) : standardDurability
        changeDurability()
        limitRate(rate.standard)
    }

    /// Changes the rate that applies unless the topic has one of its own.
    mutating func limitRate(_ standard: RateLimit?) {
        rate.change(to: settings.rateLimit(standard), standard: standard)
        findPath()
    }

    /// Decides which path bare messages take.
    mutating func findPath() {
        takesBareMessages = !isDeleted && isBare && uncommitted == nil
    }

    /// Whether a message needs no id, lifetime or rate.
    var isBare: Bool { dedupe == nil && settings.ttl == nil && rate.limit == nil }

    /// The rate that applies; `nil` if publishes are not limited.
    var rateLimit: RateLimit? { rate.limit }

    /// How long a publish of `count` messages has to wait for the topic's rate; `nil` if it may come now.
    mutating func rateWait(for count: Int, now: Int64) -> Int64? { rate.wait(for: count, now: now) }

    /// Accounts for `count` messages that the topic's rate lets in.
    mutating func spendRate(_ count: Int, now: Int64) { rate.spend(count, now: now) }

    /// What readers know. A topic ends for them after what its journal has been given is settled.
    var view: Topic.View {
        Topic.View(head: log.head, newest: log.newest, isDeleted: isDeleted && uncommitted?.isEmpty ?? true)
    }

    // MARK: Publishing

    /// Accounts for messages that were just appended.
    @inline(__always)
    mutating func published(_ count: Int, bytes: Int, time: Int64, wakeups: inout [Wakeup]) {
        if rates.isDue(at: time) { rates.roll(to: time, totals(without: count)) }
        publishedBytes &+= UInt64(bytes)
        if !isSettled {
            if readers.isEmpty {
                // Nobody else seals and trims the log.
                log.sealPart()
                return trim()
            }
            notifyReaders(&wakeups)
        }
        // Readers trim after they read. A busy reader must not let the log outgrow its bound in the meantime.
        if log.bytes > log.limits.bytes { trim() }
    }

    /// Everything published, except the last `count` messages. The bytes are those that are accounted for.
    func totals(without count: Int = 0) -> RateMeter.Totals {
        RateMeter.Totals(messages: log.head - 1 - UInt64(count), bytes: publishedBytes)
    }

    private mutating func notifyReaders(_ wakeups: inout [Wakeup]) {
        // Iterate by index: taking a reader out of the array would retain it. The same applies to other loops over
        // readers.
        for index in readers.indices {
            guard !readers[index].isNotified else { continue }
            readers[index].isNotified = true
            wakeups.append(Wakeup(mailbox: readers[index].mailbox, slot: readers[index].slot))
        }
        isSettled = true
    }

    /// Appends a publication unless its id is within the dedupe window.
    ///
    /// - Returns: the offset of the publication, or of the earlier one with the same id.
    mutating func append(_ publication: Publication, time: Timestamp, origin: UInt32) -> (Offset, isNew: Bool) {
        let now = time.steady
        let id = ExactText(publication.id)
        if let older = dedupe?.offset(of: id, now: now) { return (older, false) }
        var detail: PublicationDetail?
        if publication.keyJSON != nil || publication.ttl != nil || settings.ttl != nil || publication.trace != nil {
            let lifetime = publication.ttl ?? settings.ttl
            detail = PublicationDetail(
                key: publication.keyJSON,
                expires: lifetime.map { now + $0 } ?? .max,
                trace: publication.trace?.json
            )
        }
        let message = publication.message
        let kept = dedupe == nil ? nil : publication.id
        let offset =
            uncommitted?.append(message, time: time, origin: origin, detail: detail, id: kept)
            ?? log.append(message, time: time, origin: origin, detail: detail)
        dedupe?.insert(id, at: offset, now: now)
        return (offset, true)
    }

    // MARK: Readers

    mutating func attach(_ attachment: Topic.Attachment) throws(BrokerError) -> Topic.Attached? {
        guard !isDeleted || attachment.claimsReservation else { return nil }
        log.seal()
        let attached =
            attachment.claimsReservation
            ? Topic.Attached(cursor: 1, view: view) : try place(attachment.start, now: attachment.now)
        if attachment.claimsReservation {
            reservations -= 1
        } else if attachment.isNew {
            subscriptions += 1
        }
        let publishLimit = attachment.throttlesAt.map { log.head + $0 } ?? .max
        let mark = attached.isArchived ? log.firstKept : attached.cursor
        let retainFrom = attachment.throttlesAt == nil ? .max : mark
        let archiveMark = attached.isArchived ? attached.cursor : .max
        if let index = readers.firstIndex(where: { $0.mailbox === attachment.mailbox }) {
            readers[index].subscriptions += attachment.isNew ? 1 : 0
            readers[index].lowWaterMark = min(readers[index].lowWaterMark, mark)
            readers[index].archiveMark = min(readers[index].archiveMark, archiveMark)
            readers[index].publishLimit = min(readers[index].publishLimit, publishLimit)
            readers[index].retainFrom = min(readers[index].retainFrom, retainFrom)
        } else {
            readers.append(
                Reader(
                    mailbox: attachment.mailbox,
                    slot: attachment.slot,
                    subscriptions: 1,
                    lowWaterMark: mark,
                    publishLimit: publishLimit,
                    retainFrom: retainFrom,
                    archiveMark: archiveMark,
                    isNotified: false,
                    seen: log.head,
                    seenBytes: publishedBytes
                )
            )
        }
        findLimits()
        return attached
    }

    /// Removes subscriptions.
    ///
    /// - Returns: the hubs whose publishers no longer need to wait.
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
}
