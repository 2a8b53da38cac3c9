/// Checks that numbers arrive consecutively, and reports deviations.
///
/// Stores the next expected number and at most 64 skipped ranges. Numbers in further gaps are only counted. So memory
/// does not grow with the sequence.
struct SequenceTracker {
    enum Sighting: Equatable {
        case inOrder
        /// Some numbers before this one have not arrived (yet).
        case ahead(missing: Int)
        /// A number that was skipped before has arrived.
        case late
        /// The number arrived before.
        case repeated
    }

    private static let gapLimit = 64

    private(set) var next: Int
    /// The skipped ranges, oldest first.
    private(set) var gaps: [Range<Int>] = []
    private var forgotten = 0

    init(next: Int) {
        self.next = next
    }

    /// How many numbers were skipped and did not arrive later.
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

    /// Continues after `last`, because everything up to it was announced as lost. Returns how many numbers that skips.
    mutating func skip(through last: Int) -> Int {
        let skipped = max(0, last + 1 - next)
        next += skipped
        return skipped
    }
}
