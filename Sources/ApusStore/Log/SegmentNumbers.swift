/// A set of segments' numbers, as ranges: there are few of them, however many numbers.
package struct SegmentNumbers: Hashable, Sendable {
    /// Ascending, with a gap between each two.
    package private(set) var ranges: [ClosedRange<UInt64>] = []

    package init() {}

    package init(_ ranges: [ClosedRange<UInt64>]) {
        for range in ranges { insert(range) }
    }

    package var isEmpty: Bool { ranges.isEmpty }

    package func contains(_ number: UInt64) -> Bool { range(with: number) != nil }

    /// The range that a number is in.
    package func range(with number: UInt64) -> ClosedRange<UInt64>? {
        let index = place(of: number)
        return index < ranges.count && ranges[index].contains(number) ? ranges[index] : nil
    }

    package mutating func insert(_ number: UInt64) { insert(number...number) }

    package mutating func insert(_ range: ClosedRange<UInt64>) {
        // All that it overlaps or is next to become one.
        let first = place(of: range.lowerBound == 0 ? 0 : range.lowerBound - 1)
        var (end, merged) = (first, range)
        while end < ranges.count, ranges[end].lowerBound <= range.upperBound &+ 1 {
            merged = min(merged.lowerBound, ranges[end].lowerBound)...max(merged.upperBound, ranges[end].upperBound)
            end += 1
        }
        ranges.replaceSubrange(first..<end, with: [merged])
    }

    /// The index of the first range that ends at a number or after it.
    private func place(of number: UInt64) -> Int {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < number { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
