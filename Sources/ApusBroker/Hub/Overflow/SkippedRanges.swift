import DequeModule

/// The ranges that a cursor will skip when it reaches them, in order and without overlap.
///
/// ```
/// cursor                                 head
///   ▼     ├───────┤       ├───────┤        ▼
///  10 11 12 … 20 21 22 23 24 … 40 41 42 43
/// ```
/// They stay when the policy that made them is replaced by another. At least one pending message lies between two of
/// them, so there are no more ranges than the queue holds messages.
struct SkippedRanges {
    private var ranges = Deque<Range<Offset>>()

    @inline(__always)
    var isEmpty: Bool { ranges.isEmpty }
    var first: Range<Offset>? { ranges.first }
    var last: Range<Offset>? { ranges.last }

    /// The number of skipped messages, from `start` on and before `end`.
    func count(from start: Offset, to end: Offset = .max) -> UInt64 {
        ranges.reduce(0) { sum, range in
            let (lower, upper) = (max(range.lowerBound, start), min(range.upperBound, end))
            return lower < upper ? sum + (upper - lower) : sum
        }
    }

    // MARK: Skipping

    /// Skips the newest `count` messages before `head`, unless they are skipped already or lie before the cursor.
    ///
    /// - Returns: how many messages are skipped now that were not before.
    mutating func skipNewest(_ count: UInt64, cursor: Offset, head: Offset) -> UInt64 {
        let last = ranges.last
        let start = max(head - count, last?.upperBound ?? 0, cursor)
        guard start < head else { return 0 }
        if let last, last.upperBound == start {
            ranges[ranges.count - 1] = last.lowerBound..<head
        } else {
            ranges.append(start..<head)
        }
        return head - start
    }

    /// Skips everything before `head`, except the first `room` pending messages from `start` on.
    ///
    /// - Returns: how many messages are skipped now that were not before.
    mutating func skipAll(beyond room: UInt64, from start: Offset, to head: Offset) -> UInt64 {
        var (start, room) = (start, room)
        for range in ranges where range.upperBound > start {
            let pending = range.lowerBound > start ? range.lowerBound - start : 0
            guard pending < room else { break }
            room -= pending
            start = range.upperBound
        }
        start += room
        guard start < head else { return 0 }
        let added = head - start - count(from: start, to: head)
        ranges = ranges.filter { $0.lowerBound < start }
        if let last = ranges.popLast() {
            ranges.append(last.upperBound < start ? last : last.lowerBound..<head)
            if last.upperBound >= start { return added }
        }
        ranges.append(start..<head)
        return added
    }

    // MARK: Passing

    /// Takes out the first range if the cursor has reached it.
    mutating func takeFirst(reachedBy cursor: Offset) -> Range<Offset>? {
        guard let first, first.lowerBound <= cursor else { return nil }
        return ranges.popFirst()
    }

    /// Forgets what lies before `offset`, in case the cursor moves back later.
    mutating func pass(to offset: Offset) {
        while let range = first, range.lowerBound < offset {
            ranges.removeFirst()
            if range.upperBound > offset { ranges.prepend(offset..<range.upperBound) }
        }
    }

    /// Skips nothing from `offset` on any more.
    mutating func restore(from offset: Offset) {
        ranges = ranges.filter { $0.lowerBound < offset }
        if let last = ranges.popLast() { ranges.append(last.clamped(to: 0..<offset)) }
    }
}
