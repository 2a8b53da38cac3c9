/// A histogram of times: how late an event loop handled its work, how long a journal or a delivery took.
package struct LatencyHistogram: Sendable, Equatable {
    /// The inclusive upper bounds of the buckets, in seconds. The last bucket is unbounded.
    package static let bounds = [
        0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
    /// The number of values in each bucket. The counts are not cumulative.
    package private(set) var counts = InlineArray<18, UInt64>(repeating: 0)
    /// The sum of all values, in nanoseconds.
    private var total: UInt64 = 0

    package init() {}

    /// The sum of all values, in seconds.
    package var sum: Double { Double(total) / 1e9 }

    /// Adds a value.
    ///
    /// - Parameter nanoseconds: the time.
    package mutating func add(_ nanoseconds: UInt64) {
        counts[Self.bucket(of: nanoseconds)] &+= 1
        total &+= nanoseconds
    }

    /// By ``bounds``, as comparisons with constants, which take a fraction of the steps of a search.
    private static func bucket(of nanoseconds: UInt64) -> Int {
        switch nanoseconds {
        case ...50_000: 0
        case ...100_000: 1
        case ...250_000: 2
        case ...500_000: 3
        case ...1_000_000: 4
        case ...2_500_000: 5
        case ...5_000_000: 6
        case ...10_000_000: 7
        case ...25_000_000: 8
        case ...50_000_000: 9
        case ...100_000_000: 10
        case ...250_000_000: 11
        case ...500_000_000: 12
        case ...1_000_000_000: 13
        case ...2_500_000_000: 14
        case ...5_000_000_000: 15
        case ...10_000_000_000: 16
        default: 17
        }
    }

    package static func + (left: LatencyHistogram, right: LatencyHistogram) -> LatencyHistogram {
        var both = left
        for index in both.counts.indices { both.counts[index] += right.counts[index] }
        both.total &+= right.total
        return both
    }

    package static func == (left: LatencyHistogram, right: LatencyHistogram) -> Bool {
        left.total == right.total && left.counts.indices.allSatisfy { left.counts[$0] == right.counts[$0] }
    }
}
