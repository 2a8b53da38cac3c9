import ApusProtocol
import DequeModule

// Replays of messages that are not in memory any more.

/// What a subscription reads back from the journal, from the moment when its place is not in memory until it is again.
final class ArchiveReading {
    /// What was read and is not delivered yet.
    fileprivate(set) var batches: ArraySlice<Batch> = []
    fileprivate(set) var isAsked = false
    /// How often in a row the journal could not read.
    fileprivate var failures = 0
    /// Nothing from before this time is replayed, in milliseconds since 1970.
    fileprivate var notBefore: Int64?

    init(notBefore: Int64? = nil) {
        self.notBefore = notBefore
    }

    var bytes: Int { batches.reduce(0) { $0 + $1.size } }

    /// The batch with an offset. Lets go of those before it.
    func batch(at offset: Offset) -> Batch? {
        while let batch = batches.first, batch.end <= offset { batches.removeFirst() }
        guard let batch = batches.first, batch.first <= offset else {
            batches = []
            return nil
        }
        return batch
    }
}

/// A hub's reads of what is not in memory any more.
struct ArchiveReads {
    /// Those that wait until others are done, first come, first served.
    fileprivate var waiting = Deque<(Subscription, ArchiveSource)>()
    fileprivate var underWay: [UInt64: Subscription] = [:]
    fileprivate var lastID: UInt64 = 0
    /// The subscriptions that have something that they have not taken.
    fileprivate var holders: [ObjectIdentifier: Subscription] = [:]
}

/// The answer to one of a hub's reads.
struct ArchiveRead {
    let id: UInt64
    let answer: ArchiveAnswer
}

extension Hub {
    /// Has what comes next for a subscription be read back.
    func readArchive(for subscription: Subscription, from source: ArchiveSource) {
        let reading = subscription.archive ?? ArchiveReading()
        subscription.archive = reading
        guard !reading.isAsked else { return }
        reading.isAsked = true
        archiveReads.waiting.append((subscription, source))
        readArchive()
    }

    private func readArchive() {
        while archiveReads.underWay.count < limits.archive.reads,
            let (subscription, source) = archiveReads.waiting.popFirst()
        {
            guard subscription.isActive else { continue }
            archiveReads.lastID += 1
            let id = archiveReads.lastID
            archiveReads.underWay[id] = subscription
            source.journal.read(
                source.topic,
                template: subscription.topic.template,
                from: subscription.cursor,
                bytes: limits.archive.readBytes,
                answer: { [mailbox] answer in mailbox.post(ArchiveRead(id: id, answer: answer)) }
            )
        }
    }

    /// Goes on with the subscription for which something was read.
    func take(_ read: ArchiveRead) {
        let subscription = archiveReads.underWay.removeValue(forKey: read.id)
        readArchive()
        guard let subscription, subscription.isActive, let reading = subscription.archive else { return }
        reading.isAsked = false
        extendReplay(of: subscription)
        let (cursor, head) = (subscription.cursor, subscription.reader.head)
        switch read.answer {
        case .batches(let batches):
            reading.failures = 0
            reading.batches = batches[...]
            start(subscription, reading)
            archiveReads.holders[ObjectIdentifier(subscription)] = subscription
            boundHeld(exceptBy: subscription)
        case .gone(let first), .unreadable(let first):
            if cursor < first {
                carryOut(subscription.overflow.lost(upTo: first, cursor: cursor, head: head), on: subscription)
            }
        case .unavailable:
            // It is asked again, until its client might do better with another server.
            reading.failures += 1
            if reading.failures >= limits.archive.tries {
                end(subscription, .disconnected)
                subscription.subscriber.notify(.historyUnavailable(subscription.topic))
            }
        }
        if subscription.isActive { replayLater(subscription) }
    }

    /// Passes over what is too old for a replay since a time.
    private func start(_ subscription: Subscription, _ reading: ArchiveReading) {
        guard let time = reading.notBefore, let batch = reading.batch(at: subscription.cursor) else { return }
        reading.notBefore = nil
        let found = (subscription.cursor..<batch.end).first { !batch.isSpent && batch.time(at: $0) >= time }
        // It was not asked for, so it is no part of the replay.
        counters.replayed &-= (found ?? batch.end) - subscription.cursor
        if subscription.begin == subscription.cursor { subscription.begin = found ?? batch.end }
        subscription.pass(to: found ?? batch.end)
    }

    /// What is replayed from the journal is no queue: until the replay has come to what is in memory, nothing counts as
    /// lag.
    func extendReplay(of subscription: Subscription) {
        guard subscription.archive != nil, subscription.cursor < subscription.lag.replayEnd else { return }
        subscription.lag.replayEnd = max(subscription.lag.replayEnd, subscription.reader.head)
    }

    /// The subscription's place is in memory again, or it has ended.
    func endArchive(of subscription: Subscription) {
        subscription.archive = nil
        archiveReads.holders[ObjectIdentifier(subscription)] = nil
    }

    /// Keeps what is read and not delivered within its bound.
    private func boundHeld(exceptBy newest: Subscription) {
        var held = 0
        for (id, subscription) in archiveReads.holders {
            let bytes = subscription.archive?.bytes ?? 0
            if bytes == 0 { archiveReads.holders[id] = nil }
            held += bytes
        }
        for (id, subscription) in archiveReads.holders where held > limits.archive.heldBytes {
            guard subscription !== newest, !subscription.subscriber.isWritable else { continue }
            held -= subscription.archive?.bytes ?? 0
            subscription.archive?.batches = []
            archiveReads.holders[id] = nil
        }
    }
}
