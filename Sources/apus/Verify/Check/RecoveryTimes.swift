/// A histogram of durations, of fixed size. Buckets are at most an eighth wide.
struct RecoveryTimes: Sendable {
    private var buckets = [Int](repeating: 0, count: 64 * 8)
    private(set) var count = 0

    mutating func record(microseconds: Int) {
        buckets[Self.bucket(of: max(0, microseconds))] += 1
        count += 1
    }

    /// The duration in microseconds that `fraction` of the values did not exceed; `nil` if there are no values.
    func quantile(_ fraction: Double) -> Int? {
        guard count > 0 else { return nil }
        let rank = max(1, Int((Double(count) * fraction).rounded(.up)))
        var sum = 0
        for (index, amount) in buckets.enumerated() {
            sum += amount
            if sum >= rank { return Self.upperBound(of: index) }
        }
        return nil
    }

    /// One bucket per value up to 8; above that, eight buckets per power of two.
    private static func bucket(of value: Int) -> Int {
        guard value >= 8 else { return value }
        let exponent = value.bitWidth - 1 - value.leadingZeroBitCount
        return (exponent - 2) * 8 + (value >> (exponent - 3)) - 8
    }

    private static func upperBound(of bucket: Int) -> Int {
        guard bucket >= 8 else { return bucket }
        let exponent = bucket / 8 + 2
        return ((bucket % 8 + 9) << (exponent - 3)) - 1
    }
}
