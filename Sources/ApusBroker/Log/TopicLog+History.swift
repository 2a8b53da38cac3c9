import ApusProtocol
import BitCollections
import DequeModule

// Where replays start, and what lies between two offsets. All functions require a log whose open batch is sealed.

extension TopicLog {
    /// The oldest offset that a replay may start from. History counts publications, not batches.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
    func firstOfHistory(now: Int64) -> Offset {
        let reach = UInt64(limits.history)
        var first = max(firstKept, historyFrom, head > reach ? head - reach : 1)
        if let age = limits.historyAge { first = firstOffset(from: first, madeSince: now - age, livingAt: nil) }
        if let bytes = limits.historyBytes { first = max(first, firstOffset(within: bytes)) }
        return min(first, head)
    }

    /// The oldest publication from `start` on whose time on the steady clock is `steady` or later.
    ///
    /// - Parameter now: skips publications that have expired by then; `nil` skips none.
    /// - Returns: `head` when there is no such publication.
    func firstOffset(from start: Offset, madeSince steady: Int64, livingAt now: Int64?) -> Offset {
        firstOffset(from: start, livingAt: now) { batch, stamp in stamp &- batch.lead >= steady }
    }

    /// The oldest publication from `start` on whose wall-clock stamp is `time` or later.
    ///
    /// - Parameter now: skips publications that have expired by then; `nil` skips none.
    /// - Returns: `head` when there is no such publication.
    func firstOffset(from start: Offset, stampedSince time: Int64, livingAt now: Int64?) -> Offset {
        firstOffset(from: start, livingAt: now) { _, stamp in stamp >= time }
    }

    /// The oldest publication from `start` on for which `isLate` holds; `head` when there is none.
    ///
    /// - Parameter isLate: whether a publication of this batch, with this stamp, is late enough.
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

    /// The oldest of the newest `count` unexpired publications from `first` on; `head` when there are none.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
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

    /// The oldest of the newest publications that together take at most `bytes`.
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

    /// The bytes of the publications from `offset` on, in the base encoding.
    func bytes(from offset: Offset) -> Int {
        guard let index = index(of: offset) else { return 0 }
        return sealed[index...].reduce(0) { $0 + $1.bytes(from: offset) }
    }

    /// When the publication at `offset` was made, in milliseconds on the steady clock; `nil` when it is not kept.
    func steadyTime(at offset: Offset) -> Int64? {
        batch(at: offset).map { $0.time(at: offset) &- $0.lead }
    }

    /// The number of batches from the batch with `start` on.
    func batchCount(from start: Offset) -> Int {
        index(of: start).map { sealed.endIndex - $0 } ?? 0
    }

    /// The number of publications from `start` on that no later publication with the same key has superseded.
    ///
    /// Publications that are no longer kept count as not superseded.
    func liveCount(from start: Offset) -> Int {
        guard let index = index(of: start) else { return 0 }
        let gone = Int(max(firstKept, start) - start)
        return sealed[index...].reduce(gone) { total, batch in
            // Nobody is waiting for expired publications.
            if batch.isSpent { return total }
            guard let details = batch.details, details.haveKeys else {
                return total + Int(batch.end - max(start, batch.first))
            }
            let superseded = details.supersededNow
            if start <= batch.first { return total + batch.count - superseded.count }
            return total + (Int(start - batch.first)..<batch.count).count { !superseded.contains($0) }
        }
    }

    /// The offset after the first `count` publications from `start` on that have not been superseded.
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
