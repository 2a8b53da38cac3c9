import ApusProtocol

// Messages that others publish to the same topic through the journal.

extension TopicState {
    /// Makes readable what others have published. What waits here comes after it.
    ///
    /// - Parameters:
    ///   - batches: without gaps between them. What is not here yet before the first one is gone for good.
    ///   - ids: the message ids of theirs, in the order of their offsets.
    ///   - source: where they can be read back; `nil` if they cannot.
    /// - Returns: how many messages those are; 0 if they are here already.
    mutating func adopt(
        others batches: [Batch],
        ids: [(offset: Offset, id: String)],
        in source: ArchiveSource?,
        wakeups: inout [Wakeup]
    ) -> Int {
        guard !isDeleted, let first = batches.first?.first, first >= log.head else { return 0 }
        move { state in
            state.skip(to: first)
            if let source, let end = batches.last?.end { state.archive = Archive(source: source, end: end) }
            for batch in batches {
                state.log.adopt(batch)
                state.published(batch.count, bytes: batch.size, time: batch.newestSteady, wakeups: &wakeups)
            }
            for (offset, id) in state.dedupe == nil ? [] : ids {
                guard let batch = batches.last(where: { $0.first <= offset }) else { continue }
                state.dedupe?.insert(ExactText(id), at: offset, now: batch.time(at: offset) &- batch.lead)
            }
            state.uncommitted?.move(to: state.log.head)
        }
        return batches.reduce(0) { $0 + $1.count }
    }

    /// The journal has what is before an offset.
    mutating func noteArchived(in source: ArchiveSource, before end: Offset) {
        guard !isDeleted, end <= log.head else { return }
        archive = Archive(source: source, end: end)
        // Readers trim after they read.
        if readers.isEmpty { trim() }
    }

    /// Has what waits begin at an offset: what is not here yet before it is gone for good.
    mutating func jump(to first: Offset) {
        guard first > log.head else { return }
        move { state in
            state.skip(to: first)
            state.uncommitted?.move(to: first)
        }
    }

    private mutating func skip(to first: Offset) {
        guard first > log.head else { return }
        log.removeAll()
        log.head = first
    }

    /// Drops what the journal has taken. What was published since then comes in its place.
    mutating func refuseCurrent() -> Commit? {
        var commit: Commit?
        move { state in commit = state.uncommitted?.refuse(head: state.log.head) }
        return commit
    }

    /// Changes the offsets of what waits, and has the dedupe window know the new ones.
    private mutating func move(_ change: (inout Self) -> Void) {
        let times = dedupe?.forget(from: log.head) ?? [:]
        change(&self)
        for (offset, id) in uncommitted?.identified ?? [] {
            // What others have published already stays known at theirs: the journal will not keep it twice.
            guard let time = times[ExactText(id)], dedupe?.offset(of: ExactText(id), now: time) == nil else { continue }
            dedupe?.insert(ExactText(id), at: offset, now: time)
        }
    }

    /// Leaves out what others have published already, which the dedupe window knows at their offsets.
    ///
    /// - Parameter dropped: which of the publications that the journal has taken, counted from 0, and where theirs are.
    mutating func drop(_ dropped: [(index: Int, offset: Offset)]) {
        guard !dropped.isEmpty else { return }
        move { $0.uncommitted?.drop(dropped) }
    }
}
