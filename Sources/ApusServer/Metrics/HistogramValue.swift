import ApusBroker

/// How many values fell into each bucket, and their sum.
struct HistogramValue: Equatable, Sendable {
    /// The upper bounds of the buckets, inclusive and ascending. The last bucket has no bound.
    let bounds: [Double]
    /// One count more than there are bounds. Each value counts in one bucket only.
    private(set) var counts: [Int]
    private(set) var sum = 0.0

    /// Ignores bounds that are not finite or that occur twice.
    init(bounds: [Double]) {
        self.bounds = Set(bounds.filter(\.isFinite)).sorted()
        self.counts = Array(repeating: 0, count: self.bounds.count + 1)
    }

    init(_ times: LatencyHistogram) {
        bounds = LatencyHistogram.bounds
        counts = times.counts.indices.map { Int(clamping: times.counts[$0]) }
        sum = times.sum
    }

    /// Adds a value. A value that is not finite is ignored, because it would spoil the sum forever.
    mutating func observe(_ value: Double) {
        guard value.isFinite else { return }
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        sum += value
    }

    /// The sum of two histograms with the same buckets. With different buckets, the left one.
    static func + (left: HistogramValue, right: HistogramValue) -> HistogramValue {
        guard left.bounds == right.bounds else { return left }
        var both = left
        both.counts = zip(left.counts, right.counts).map { $0 + $1 }
        both.sum += right.sum
        return both
    }
}

extension HistogramValue {
    /// Bounds in seconds, from 0.1 ms to 30 s: for in-memory messages, requests and long polls.
    static let durationBounds = [
        0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
    ]
    /// Bounds for counts and sizes, in powers of four.
    static let valueBounds: [Double] = [
        1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216,
    ]
}
