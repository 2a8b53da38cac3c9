import Histogram

extension LoadResult.Latency {
    /// The number of points on the percentile curve for each halving of the distance to 100 %.
    private static let ticks = 5

    /// Summarizes a histogram of nanoseconds; `nil` when it is empty.
    init?(_ histogram: Histogram<UInt64>) {
        guard histogram.totalCount > 0 else { return nil }
        let most = histogram.max
        func microseconds(_ percentile: Double) -> Double {
            Double(min(histogram.valueAtPercentile(percentile), most)) / 1e3
        }
        self.init(
            count: Int(histogram.totalCount),
            mean: histogram.mean / 1e3,
            p50: microseconds(50),
            p90: microseconds(90),
            p99: microseconds(99),
            p999: microseconds(99.9),
            max: Double(most) / 1e3,
            curve: histogram.percentiles(ticksPerHalfDistance: Self.ticks).map {
                Point(percentile: $0.percentile, us: Double(min($0.value, most)) / 1e3)
            }
        )
    }
}
