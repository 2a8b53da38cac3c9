import Histogram

/// Latencies of one thread.
///
/// Messages that were sent together and came together have the same latency to the nanosecond: they are counted before
/// they are looked up in the histogram.
struct LatencyRecorder {
    /// A 1 µs step at 1 ms, and room for 10 minutes: longer ones count as that.
    static func emptyHistogram() -> Histogram<UInt64> {
        Histogram(
            lowestDiscernibleValue: 64,
            highestTrackableValue: highest,
            numberOfSignificantValueDigits: .three
        )
    }

    private static let highest: UInt64 = 600_000_000_000

    private var histogram = emptyHistogram()
    private var latest: UInt64 = 0
    private var count: UInt64 = 0

    @inline(__always)
    mutating func record(_ nanoseconds: UInt64, count more: UInt64 = 1) {
        if nanoseconds == latest {
            count &+= more
            return
        }
        flush()
        latest = nanoseconds
        count = more
    }

    private mutating func flush() {
        guard count > 0 else { return }
        histogram.record(min(latest, Self.highest), count: count)
    }

    /// All that was recorded.
    mutating func finish() -> Histogram<UInt64> {
        flush()
        count = 0
        return histogram
    }
}
