/// Watches numbers that must come one after the other, and tells what came instead.
///
/// Keeps the next expected number and the ranges that were passed over, at most 64; what a further gap lacks is only
/// counted. So memory does not grow with what is watched.
struct SequenceTracker {
    enum Sighting: Equatable {
        case inOrder
        /// Some before it did not come (yet).
        case ahead(missing: Int)
        /// One that was passed over before came after all.
        case late
        /// It came before.
        case repeated
    }

    private static let gapLimit = 64

    private(set) var next: Int
    /// What was passed over, oldest first.
    private(set) var gaps: [Range<Int>] = []
    private var forgotten = 0

    init(next: Int) {
        self.next = next
    }

    /// How many numbers were passed over and did not come later.
    var missing: Int {
        gaps.reduce(forgotten) { $0 + $1.count }
    }

    mutating func see(_ number: Int) -> Sighting {
        if number == next {
            next += 1
            return .inOrder
        }
        if number > next {
            let gap = next..<number
            next = number + 1
            if gaps.count < Self.gapLimit { gaps.append(gap) } else { forgotten += gap.count }
            return .ahead(missing: gap.count)
        }
        guard let index = gaps.firstIndex(where: { $0.contains(number) }) else { return .repeated }
        let gap = gaps.remove(at: index)
        gaps.insert(
            contentsOf: [gap.lowerBound..<number, number + 1..<gap.upperBound].filter { !$0.isEmpty },
            at: index
        )
        return .late
    }

    /// Goes on after `last`: everything up to it was announced as lost. Gives how many numbers that skips.
    mutating func skip(through last: Int) -> Int {
        let skipped = max(0, last + 1 - next)
        next += skipped
        return skipped
    }
}
