import Histogram

/// The latencies of one thread.
///
/// Messages that were sent and received together have the same latency to the nanosecond. Equal latencies are counted
/// first, so that one look-up in the histogram serves all of them.
struct LatencyRecorder {
    /// A histogram with a resolution of 1 µs at 1 ms, up to 10 minutes. Longer latencies count as 10 minutes.
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

    /// Returns all recorded latencies, in nanoseconds.
    mutating func finish() -> Histogram<UInt64> {
        flush()
        count = 0
        return histogram
    }
}
