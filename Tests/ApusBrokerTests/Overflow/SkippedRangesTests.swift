import ApusTesting
import Testing

@testable import ApusBroker

@Suite struct SkippedRangesTests {
    /// All ranges, by passing over them one by one.
    private func all(_ ranges: SkippedRanges) -> [Range<Offset>] {
        var (left, all) = (ranges, [Range<Offset>]())
        while let range = left.takeFirst(reachedBy: .max) { all.append(range) }
        return all
    }

    private func ranges(_ all: Range<Offset>...) -> SkippedRanges {
        var ranges = SkippedRanges()
        for range in all { _ = ranges.skipNewest(UInt64(range.count), cursor: 1, head: range.upperBound) }
        return ranges
    }

    @Test func `the newest are skipped once, and a range that goes on grows`() {
        var ranges = SkippedRanges()
        #expect(ranges.skipNewest(2, cursor: 5, head: 10) == 2)
        #expect(all(ranges) == [8..<10])
        #expect(ranges.skipNewest(3, cursor: 5, head: 11) == 1)
        #expect(all(ranges) == [8..<11])
        #expect(ranges.skipNewest(1, cursor: 5, head: 14) == 1)
        #expect(all(ranges) == [8..<11, 13..<14])
        #expect(ranges.skipNewest(14, cursor: 5, head: 14) == 0)
    }

    @Test func `nothing before the cursor is skipped`() {
        var ranges = SkippedRanges()
        #expect(ranges.skipNewest(8, cursor: 5, head: 10) == 5)
        #expect(all(ranges) == [5..<10])
    }

    @Test(
        arguments: [
            // Nothing skipped yet: 10 to 29 are pending.
            (before: [], room: UInt64(4), added: UInt64(16), after: [14..<30]),
            (before: [], room: 20, added: 0, after: []),
            (before: [], room: 100, added: 0, after: []),
            // 20 to 24 are skipped.
            (before: [20..<25], room: 4, added: 11, after: [14..<30]),
            (before: [20..<25], room: 10, added: 5, after: [20..<30]),
            (before: [20..<25], room: 12, added: 3, after: [20..<25, 27..<30]),
            (before: [20..<25], room: 15, added: 0, after: [20..<25]),
        ] as [(before: [Range<Offset>], room: UInt64, added: UInt64, after: [Range<Offset>])]
    )
    func `everything is skipped for which there is no room`(
        before: [Range<Offset>],
        room: UInt64,
        added: UInt64,
        after: [Range<Offset>]
    ) {
        var ranges = before.first.map { self.ranges($0) } ?? SkippedRanges()
        #expect(ranges.skipAll(beyond: room, from: 10, to: 30) == added)
        #expect(all(ranges) == after)
    }

    @Test(arguments: [
        (from: Offset(0), to: Offset.max, count: UInt64(8)), (from: 11, to: .max, count: 7),
        (from: 13, to: .max, count: 5),
        (from: 0, to: 21, count: 4), (from: 11, to: 12, count: 1), (from: 13, to: 20, count: 0),
        (from: 25, to: .max, count: 0),
    ])
    func `messages in ranges are counted within bounds`(from start: Offset, to end: Offset, count: UInt64) {
        #expect(ranges(10..<13, 20..<25).count(from: start, to: end) == count)
    }

    @Test func `a cursor takes out the range that it has reached`() {
        var ranges = ranges(10..<13, 20..<25)
        #expect(ranges.takeFirst(reachedBy: 9) == nil)
        #expect(ranges.takeFirst(reachedBy: 10) == 10..<13)
        #expect(ranges.takeFirst(reachedBy: 13) == nil)
        #expect(ranges.takeFirst(reachedBy: 22) == 20..<25 && ranges.isEmpty)
    }

    @Test func `what is passed is forgotten, in the midst of a range too`() {
        var ranges = ranges(10..<13, 20..<25)
        ranges.pass(to: 10)
        #expect(all(ranges) == [10..<13, 20..<25])
        ranges.pass(to: 22)
        #expect(all(ranges) == [22..<25])
        ranges.pass(to: 25)
        #expect(ranges.isEmpty)
    }

    @Test(
        arguments: [
            (from: Offset(5), left: []), (from: 11, left: [10..<11]), (from: 15, left: [10..<13]),
            (from: 24, left: [10..<13, 20..<24]), (from: 30, left: [10..<13, 20..<25]),
        ] as [(from: Offset, left: [Range<Offset>])]
    )
    func `what a replay brings back is skipped no more`(from offset: Offset, left: [Range<Offset>]) {
        var ranges = ranges(10..<13, 20..<25)
        ranges.restore(from: offset)
        #expect(all(ranges) == left)
    }

    @Test func `ranges stay apart and in order, whatever is skipped`() {
        for seed in 0..<UInt64(200) {
            var generator = SeededGenerator(seed: seed)
            var (ranges, head, cursor, skipped) = (SkippedRanges(), Offset(1), Offset(1), UInt64(0))
            for _ in 0..<50 {
                head += .random(in: 0...4, using: &generator)
                if generator.chance(50) {
                    skipped += ranges.skipNewest(
                        .random(in: 0...min(head, 6), using: &generator),
                        cursor: cursor,
                        head: head
                    )
                } else {
                    skipped += ranges.skipAll(beyond: .random(in: 0...6, using: &generator), from: cursor, to: head)
                }
                if generator.chance(20) {
                    let next = min(cursor + .random(in: 0...3, using: &generator), head)
                    skipped -= ranges.count(from: cursor, to: next)
                    cursor = next
                    ranges.pass(to: cursor)
                }
                let list = all(ranges)
                #expect(zip(list, list.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound })
                #expect(list.allSatisfy { !$0.isEmpty && $0.lowerBound >= cursor && $0.upperBound <= head })
                #expect(ranges.count(from: cursor) == skipped)
            }
        }
    }
}
