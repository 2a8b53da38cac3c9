/// A page of many in the order of a number.
///
/// Sorted digit by digit: the same time for the first page, the last and any between, and whatever the numbers are.
/// Digits that all numbers have in common, as most of small numbers are, take no time.
enum TopNumbers {
    private struct Item {
        /// Smaller for larger numbers.
        var key: UInt64
        var place: Int
    }

    private static let digitBits = 11
    private static let digits = 1 << digitBits

    /// The places of `range` in the order of the numbers, the largest first. Of equal numbers the first comes first.
    static func places(_ range: Range<Int>, of numbers: [Double]) -> [Int] {
        let range = range.clamped(to: 0..<numbers.count)
        guard !range.isEmpty else { return [] }
        var items = numbers.enumerated().map { Item(key: key(of: $1), place: $0) }
        var (all, common) = (UInt64.min, UInt64.max)
        for item in items {
            all |= item.key
            common &= item.key
        }
        var sorted = items
        for shift in stride(from: 0, to: UInt64.bitWidth, by: digitBits) {
            guard (all ^ common) >> UInt64(shift) & UInt64(digits - 1) != 0 else { continue }
            distribute(items, into: &sorted, by: shift)
            swap(&items, &sorted)
        }
        return items[range].map(\.place)
    }

    /// Writes the items in the order of one digit; those with the same keep their order.
    private static func distribute(_ items: [Item], into sorted: inout [Item], by shift: Int) {
        var next = [Int](repeating: 0, count: digits)
        func digit(_ item: Item) -> Int { Int(truncatingIfNeeded: item.key >> UInt64(shift)) & (digits - 1) }
        for item in items { next[digit(item)] += 1 }
        var sum = 0
        for index in next.indices { (next[index], sum) = (sum, sum + next[index]) }
        for item in items {
            sorted[next[digit(item)]] = item
            next[digit(item)] += 1
        }
    }

    /// Bits that are in the opposite order of the numbers.
    private static func key(of number: Double) -> UInt64 {
        // Both zeros are the same number.
        let bits = (number + 0).bitPattern
        return number < 0 ? bits : ~(bits | 1 << 63)
    }
}
