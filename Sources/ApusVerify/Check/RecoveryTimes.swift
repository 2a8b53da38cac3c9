import Histogram

/// How long subscribers took to catch up after a reconnect, to two digits.
struct RecoveryTimes: Sendable {
    /// A day, in microseconds; longer times count as that.
    private static let longest: UInt64 = 86_400_000_000

    private var histogram = Histogram<UInt64>(
        lowestDiscernibleValue: 1,
        highestTrackableValue: longest,
        numberOfSignificantValueDigits: .two
    )

    var count: Int { Int(histogram.totalCount) }

    mutating func record(microseconds: Int) {
        histogram.record(min(UInt64(max(microseconds, 0)), Self.longest))
    }

    /// The time in microseconds that `fraction` of them did not exceed; nil when there are none.
    func quantile(_ fraction: Double) -> Int? {
        guard count > 0 else { return nil }
        return Int(min(histogram.valueAtPercentile(fraction * 100), histogram.max))
    }
}
