import ApusProtocol

// Publishes to topics whose messages are kept before anybody reads them.

extension TopicState {
    /// The offset that the next publish gets, if all before it are kept.
    var nextOffset: Offset { uncommitted?.head ?? log.head }

    /// Whether others publish through the journal, too, so that an offset may move until its message is kept.
    var isShared: Bool { durability >= .replicatedUnsynced }

    /// Whether so much waits for the journal that publishers wait, too.
    var isCommitBacklogFull: Bool {
        guard let uncommitted else { return false }
        return uncommitted.bytes >= limits.uncommittedBytes
    }

    /// Publishes messages that have no more than their JSON, up to the first one that has to wait.
    ///
    /// - Parameter commit: set to what has to be kept before they are published.
    mutating func publishUncommitted(
        _ messages: some Sequence<UnsafeRawBufferPointer>,
        time: Timestamp,
        origin: UInt32,
        by publisher: HubMailbox?,
        wakeups: inout [Wakeup],
        commit: inout Commit?
    ) -> (outcome: PublishOutcome?, refusal: PublishOutcome?) {
        guard !isDeleted else { return (nil, .deleted) }
        guard uncommitted != nil, isBare else { return (nil, .needsPublication) }
        var receipt = PublishReceipt(offset: nextOffset, count: 0, subscribers: subscriptions)
        receipt.stored = durability
        var refusal: PublishOutcome?
        for message in messages {
            let bytes = uncommitted?.recordSize(message: message.count) ?? 0
            refusal = obstacleToCommit(for: publisher, bytes: bytes, wakeups: &wakeups)
            if refusal != nil { break }
            _ = uncommitted?.append(message, time: time, origin: origin)
            receipt.count += 1
        }
        guard receipt.count > 0, let next = uncommitted?.next else { return (nil, refusal) }
        if isShared { receipt.place = uncommitted?.place(of: receipt.offset) ?? .max }
        if let publisher { next.join(publisher, messages: receipt.count, place: receipt.place) }
        commit = next
        return (.uncommitted(receipt), refusal)
    }

    /// Whether a publish has to be part of a later commit. One that is too large alone comes alone.
    private func isCommitFull(for bytes: Int) -> Bool {
        guard let next = uncommitted?.nextBytes, next > 0 else { return false }
        return next + bytes > limits.commitBytes
    }

    /// What publications add to the record of a topic with a journal.
    ///
    /// A method, as `uncommitted?.recordSize` at its caller copies the whole state.
    func recordSize(_ publications: [Publication]) -> Int {
        guard let uncommitted else { return 0 }
        return uncommitted.recordSize(publications)
    }

    /// What a publish has to wait for, if anything.
    ///
    /// - Parameter bytes: what it adds to the commit.
    mutating func obstacleToCommit(
        for publisher: HubMailbox?,
        bytes: Int,
        wakeups: inout [Wakeup]
    ) -> PublishOutcome? {
        if isCommitBacklogFull || isCommitFull(for: bytes) {
            addWaiting(publisher)
            return .held
        }
        return obstacle(to: publisher, at: nextOffset, wakeups: &wakeups)
    }

    /// The outcome of a publish that the topic has appended, or recognized as a repetition.
    ///
    /// - Parameter commit: set to what the outcome depends on, if it does.
    func outcome(
        of receipt: PublishReceipt,
        newest: Offset,
        by publisher: HubMailbox?,
        commit: inout Commit?
    ) -> PublishOutcome {
        guard let own = uncommitted?.commit(of: newest) else { return .published(receipt) }
        var receipt = receipt
        if isShared { receipt.place = uncommitted?.place(of: receipt.offset) ?? .max }
        if let publisher {
            own.join(publisher, messages: receipt.count, duplicates: receipt.duplicates, place: receipt.place)
        }
        commit = own
        return .uncommitted(receipt)
    }

    // MARK: Settings

    /// Begins to keep what is published, and what history has, or ends that when nothing is left to be kept.
    mutating func changeDurability() {
        if durability > .memory, uncommitted == nil {
            log.seal()
            uncommitted = Uncommitted(template: log.template, limits: log.limits, head: log.head)
            let readable = readableToKeep()
            if !readable.isEmpty { uncommitted?.begin(with: readable, ids: dedupe?.identified ?? []) }
        } else if durability == .memory {
            uncommitted?.forgetReadable()
            guard uncommitted?.isEmpty == true else { return findPath() }
            uncommitted = nil
            // A batch is either in the journal or not.
            log.seal()
            log.unopenable = log.head
        }
        findPath()
    }

    /// The batches that the journal does not have, of those that it can have without a gap. Of what has expired there
    /// is nothing to be kept, so what is before that is not kept either.
    private mutating func readableToKeep() -> [Batch] {
        let end = archive?.end ?? 0
        let oldest = max(end, log.historyFrom)
        let living = log.sealed.reversed().prefix { !$0.isSpent && $0.first >= oldest }.reversed()
        let start = living.first?.first ?? log.head
        if start != end { archiveStart = start }
        return Array(living)
    }

    /// Takes over what a journal has kept.
    ///
    /// - Parameter lead: how far the wall clock is ahead of the steady clock, in milliseconds.
    mutating func restore(_ topic: RestoredTopic, lead: Int64) {
        log.head = topic.batches.first?.first ?? topic.head
        for batch in topic.batches where batch.end > log.head {
            if batch.first != log.head {
                // What is before a gap cannot be read on from.
                log.removeAll()
                log.head = batch.first
            }
            log.adopt(batch)
            log.seal()
        }
        if topic.head > log.head {
            log.removeAll()
            log.head = topic.head
        }
        archive = topic.archive.map { Archive(source: $0, end: topic.head) }
        for (offset, id, time) in topic.ids { dedupe?.insert(ExactText(id), at: offset, now: time &- lead) }
        uncommitted = uncommitted.map { _ in Uncommitted(template: log.template, limits: log.limits, head: log.head) }
    }

    // MARK: The journal's side

    /// Makes what was kept readable. Returns what is settled by that.
    ///
    /// - Parameter dropped: which of the publications others have published already, counted from 0, and where.
    mutating func adopt(
        in source: ArchiveSource?,
        dropping dropped: [(index: Int, offset: Offset)] = [],
        at first: Offset? = nil,
        wakeups: inout [Wakeup]
    ) -> (Commit, Relocation?)? {
        if let first { jump(to: first) }
        drop(dropped)
        let relocation = uncommitted?.relocation
        guard let (commit, batches) = uncommitted?.finish() else { return nil }
        if let source, !isDeleted {
            archive = Archive(source: source, end: batches.last?.end ?? log.head)
        }
        for batch in batches {
            log.adopt(batch)
            published(batch.count, bytes: batch.size, time: batch.newestSteady, wakeups: &wakeups)
        }
        if durability == .memory { changeDurability() }
        return (commit, relocation)
    }

    /// Drops what could not be kept, and all after it. Returns what is settled by that.
    mutating func dropUncommitted() -> [Commit] {
        dedupe?.forget(from: log.head)
        let keepsReadable = !isDeleted && durability > .memory
        return uncommitted?.dropAll(head: log.head, keepsReadable: keepsReadable) ?? []
    }
}
