/// How late an event loop came to what was there for it: a histogram.
public struct LoopLag: Sendable, Equatable {
    /// The upper bounds of the buckets, inclusive, in seconds; the last bucket has none.
    public static let bounds = [0.0001, 0.001, 0.01, 0.1, 1, 10]
    /// Each value counts in one bucket.
    public private(set) var counts = InlineArray<7, UInt64>(repeating: 0)
    /// In seconds.
    public private(set) var sum = 0.0

    public init() {}

    /// - Parameter nanoseconds: how late it was.
    public mutating func add(_ nanoseconds: UInt64) {
        let seconds = Double(nanoseconds) / 1e9
        counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
        sum += seconds
    }

    public static func == (left: LoopLag, right: LoopLag) -> Bool {
        left.sum == right.sum && left.counts.indices.allSatisfy { left.counts[$0] == right.counts[$0] }
    }
}
