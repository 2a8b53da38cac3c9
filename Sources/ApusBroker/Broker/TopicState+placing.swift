import ApusProtocol

// Where replays start: in memory, or in what the journal can read back.

extension TopicState {
    /// Finds where a replay starts, and whether it starts where the request asked.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
    /// - Throws: ``BrokerError`` `.positionInFuture`.
    func place(_ start: ReplayStart, now: Int64) throws(BrokerError) -> Topic.Attached {
        var attached = try find(start, now: now)
        if attached.cursor < log.firstKept { attached.isArchived = true }
        return attached
    }

    private func find(_ start: ReplayStart, now: Int64) throws(BrokerError) -> Topic.Attached {
        let first = firstOfHistory(now: now)
        let inMemory = max(first, log.firstKept)
        switch start {
        case .lastN(let count):
            return Topic.Attached(cursor: offset(ofLast: count, from: first, now: now), view: view)
        case .all:
            return Topic.Attached(cursor: first, view: view)
        case .time(let time):
            let found = log.firstOffset(from: inMemory, stampedSince: time, livingAt: now)
            return place(since: time, from: first, orInMemory: found)
        case .age(let age):
            let found = log.firstOffset(from: inMemory, madeSince: now - age, livingAt: now)
            return place(since: now - age + (archive?.source.lead ?? 0), from: first, orInMemory: found)
        case .position(log.template.epoch, let offset):
            guard offset < log.head else {
                throw BrokerError(.positionInFuture, "'since.offset' is beyond the last offset, \(log.head - 1)")
            }
            let next = offset + 1
            if next >= first { return Topic.Attached(cursor: next, view: view, isRecovered: true) }
            return Topic.Attached(cursor: first, view: view, isRecovered: false, missed: next...(first - 1))
        case .position:
            return Topic.Attached(cursor: first, view: view, isRecovered: false)
        }
    }

    /// Finds where a replay of the newest messages starts. Messages that are not in memory count even if they have
    /// expired.
    private func offset(ofLast count: Int, from first: Offset, now: Int64) -> Offset {
        let kept = log.firstKept
        let found = log.offset(ofLast: count, from: max(first, kept), now: now)
        guard first < kept, found <= kept || log.livingCount(now: now) < count else { return found }
        let rest = UInt64(max(count - log.livingCount(now: now), 0))
        return rest == 0 ? found : kept - min(rest, kept - first)
    }

    /// Finds where a replay since a time starts: before it, nothing that is not in memory is to be replayed.
    ///
    /// - Parameters:
    ///   - time: in milliseconds since 1970.
    ///   - found: the first such message in memory.
    private func place(since time: Int64, from first: Offset, orInMemory found: Offset) -> Topic.Attached {
        let kept = log.firstKept
        guard let archive, first < kept,
            let start = archive.source.journal.firstOffset(of: archive.source.topic, since: time), start < kept
        else { return Topic.Attached(cursor: found, view: view) }
        return Topic.Attached(cursor: max(first, start), view: view, notBefore: time)
    }
}
