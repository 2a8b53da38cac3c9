import ApusProtocol
import DequeModule

// Where replays start, and what lies between two offsets. All of it asks for a log whose open batch is sealed.

extension TopicLog {
    /// The oldest offset that a replay may start from: history counts publications, not batches.
    ///
    /// - Parameter now: in milliseconds since 1970.
    func firstOfHistory(now: Int64) -> Offset {
        let reach = UInt64(limits.history)
        var first = max(firstKept, head > reach ? head - reach : 1)
        if let age = limits.historyAge { first = max(first, firstOffset(since: now - age)) }
        if let bytes = limits.historyBytes { first = max(first, firstOffset(within: bytes)) }
        return min(first, head)
    }

    /// The oldest publication made at `time` or later; `head` when there is none.
    func firstOffset(since time: Int64) -> Offset {
        guard let batch = sealed.first(where: { $0.newestTime >= time }) else { return head }
        return (batch.first..<batch.end).first { batch.time(at: $0) >= time } ?? batch.end
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

    /// When the publication at `offset` was made; `nil` when it is not kept.
    func time(at offset: Offset) -> Int64? {
        batch(at: offset)?.time(at: offset)
    }

    /// How many batches there are from that with `start` on.
    func batchCount(from start: Offset) -> Int {
        index(of: start).map { sealed.endIndex - $0 } ?? 0
    }

    /// How many publications from `start` on have not been superseded by a later one with the same key, as far as is known:
    /// those that are no longer kept count.
    func liveCount(from start: Offset) -> Int {
        guard let index = index(of: start) else { return 0 }
        let gone = Int(max(firstKept, start) - start)
        return sealed[index...].reduce(gone) { total, batch in
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
        for batch in sealed[index...] {
            let superseded = batch.details?.supersededNow ?? BitSet()
            for offset in max(start, batch.first)..<batch.end where !superseded.contains(Int(offset - batch.first)) {
                rest -= 1
                if rest == 0 { return offset + 1 }
            }
        }
        return head
    }
}
