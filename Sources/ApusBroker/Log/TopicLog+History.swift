import ApusProtocol
import BitCollections
import DequeModule

// Where replays start, and what lies between two offsets. All of it asks for a log whose open batch is sealed.

extension TopicLog {
    /// The oldest offset that a replay may start from: history counts publications, not batches.
    ///
    /// - Parameter now: on the steady clock.
    func firstOfHistory(now: Int64) -> Offset {
        let reach = UInt64(limits.history)
        var first = max(firstKept, head > reach ? head - reach : 1)
        if let age = limits.historyAge { first = firstOffset(from: first, madeSince: now - age, livingAt: nil) }
        if let bytes = limits.historyBytes { first = max(first, firstOffset(within: bytes)) }
        return min(first, head)
    }

    /// The oldest publication from `start` on that was made at `steady` or later on the steady clock; `head` when there
    /// is none.
    ///
    /// - Parameter now: passes by those whose time is up by then.
    func firstOffset(from start: Offset, madeSince steady: Int64, livingAt now: Int64?) -> Offset {
        firstOffset(from: start, livingAt: now) { batch, stamp in stamp &- batch.lead >= steady }
    }

    /// The oldest publication from `start` on that is stamped with `time` or later; `head` when there is none.
    ///
    /// - Parameter now: passes by those whose time is up by then.
    func firstOffset(from start: Offset, stampedSince time: Int64, livingAt now: Int64?) -> Offset {
        firstOffset(from: start, livingAt: now) { _, stamp in stamp >= time }
    }

    /// - Parameter isLate: whether a publication of a batch, with that stamp, is late enough.
    private func firstOffset(
        from start: Offset,
        livingAt now: Int64?,
        where isLate: (Batch, Int64) -> Bool
    ) -> Offset {
        guard let index = index(of: start) else { return head }
        for batch in sealed[index...] where isLate(batch, batch.newestTime) {
            if let now, batch.isExpired(now: now) { continue }
            let found = (max(start, batch.first)..<batch.end).first { offset in
                if let now, batch.isExpired(at: offset, now: now) { return false }
                return isLate(batch, batch.time(at: offset))
            }
            if let found { return found }
        }
        return head
    }

    /// The place of the oldest of the newest `count` publications from `first` on whose time is not up; `head` when
    /// there is none.
    ///
    /// - Parameter now: on the steady clock.
    func offset(ofLast count: Int, from first: Offset, now: Int64) -> Offset {
        guard hasLifetimes, count > 0 else { return head - min(UInt64(max(count, 0)), head - first) }
        var found = head
        var rest = count
        for batch in sealed.reversed() where batch.end > first {
            let lower = max(batch.first, first)
            guard batch.isSpent || batch.details?.expire == true else {
                guard batch.end - lower < rest else { return batch.end - UInt64(rest) }
                rest -= Int(batch.end - lower)
                found = lower
                continue
            }
            guard !batch.isExpired(now: now) else { continue }
            for offset in (lower..<batch.end).reversed() where !batch.isExpired(at: offset, now: now) {
                found = offset
                rest -= 1
                if rest == 0 { return found }
            }
        }
        return found
    }

    /// The oldest publication of the newest ones that together take no more than `bytes`.
    private func firstOffset(within bytes: Int) -> Offset {
        var rest = bytes
        for batch in sealed.reversed() {
            guard batch.size > rest else {
                rest -= batch.size
                continue
            }
            return (batch.first..<batch.end).first { batch.bytes(from: $0) <= rest } ?? batch.end
        }
        return firstKept
    }

    /// How many bytes the publications from `offset` on take.
    func bytes(from offset: Offset) -> Int {
        guard let index = index(of: offset) else { return 0 }
        return sealed[index...].reduce(0) { $0 + $1.bytes(from: offset) }
    }

    /// When the publication at `offset` was made, on the steady clock; `nil` when it is not kept.
    func steadyTime(at offset: Offset) -> Int64? {
        batch(at: offset).map { $0.time(at: offset) &- $0.lead }
    }

    /// How many batches there are from that with `start` on.
    func batchCount(from start: Offset) -> Int {
        index(of: start).map { sealed.endIndex - $0 } ?? 0
    }

    /// How many publications from `start` on have not been superseded by a later one with the same key, as far as is
    /// known: those that are no longer kept count.
    func liveCount(from start: Offset) -> Int {
        guard let index = index(of: start) else { return 0 }
        let gone = Int(max(firstKept, start) - start)
        return sealed[index...].reduce(gone) { total, batch in
            // They wait for nobody.
            if batch.isSpent { return total }
            guard let details = batch.details, details.haveKeys else {
                return total + Int(batch.end - max(start, batch.first))
            }
            let superseded = details.supersededNow
            if start <= batch.first { return total + batch.count - superseded.count }
            return total + (Int(start - batch.first)..<batch.count).count { !superseded.contains($0) }
        }
    }

    /// The place behind the first `count` publications from `start` on that have not been superseded.
    func offset(behind count: Int, from start: Offset) -> Offset {
        guard count > 0, let index = index(of: start) else { return start }
        let gone = Int(max(firstKept, start) - start)
        guard count > gone else { return start + UInt64(count) }
        var rest = count - gone
        for batch in sealed[index...] where !batch.isSpent {
            let superseded = batch.details?.supersededNow ?? BitSet()
            for offset in max(start, batch.first)..<batch.end where !superseded.contains(Int(offset - batch.first)) {
                rest -= 1
                if rest == 0 { return offset + 1 }
            }
        }
        return head
    }
}
