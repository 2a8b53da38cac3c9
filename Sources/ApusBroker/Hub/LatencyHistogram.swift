/// A histogram of times: how late an event loop handled its work, or how long a journal took.
package struct LatencyHistogram: Sendable, Equatable {
    /// The inclusive upper bounds of the buckets, in seconds. The last bucket is unbounded.
    package static let bounds = [0.0001, 0.001, 0.01, 0.1, 1, 10]
    /// The number of values in each bucket. The counts are not cumulative.
    package private(set) var counts = InlineArray<7, UInt64>(repeating: 0)
    /// The sum of all values, in seconds.
    package private(set) var sum = 0.0

    package init() {}

    /// Adds a value.
    ///
    /// - Parameter nanoseconds: the time.
    package mutating func add(_ nanoseconds: UInt64) {
        let seconds = Double(nanoseconds) / 1e9
        counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
        sum += seconds
    }

    package static func == (left: LatencyHistogram, right: LatencyHistogram) -> Bool {
        left.sum == right.sum && left.counts.indices.allSatisfy { left.counts[$0] == right.counts[$0] }
    }
}
