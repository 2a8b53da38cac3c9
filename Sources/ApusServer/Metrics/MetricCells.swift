import CoreMetrics
import NIOConcurrencyHelpers
import Synchronization

/// Which series a cell is.
struct SeriesID: Hashable, Sendable {
    let family: String
    let labels: MetricLabels
}

/// One series' value, written by whoever measures and read by a scrape, each on any thread.
protocol MetricCell: AnyObject, Sendable {
    /// Where the registry keeps it.
    var id: SeriesID { get }
    var value: MetricValue { get }
}

/// A counter of whole numbers, of fractions, or of both.
final class CounterCell: MetricCell, CounterHandler, FloatingPointCounterHandler {
    let id: SeriesID
    /// Wraps around: past 2⁶³ it begins again at 0, which Prometheus takes for a restart.
    private let whole = Atomic<Int>(0)
    /// A `Double`'s bits.
    private let fractions = Atomic<UInt64>(0)

    init(id: SeriesID) {
        self.id = id
    }

    /// Negative amounts are ignored: a counter only grows.
    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        whole.wrappingAdd(Int(amount), ordering: .relaxed)
    }

    /// What is negative or no finite number is ignored.
    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        var seen = fractions.load(ordering: .relaxed)
        while true {
            let sum = Double(bitPattern: seen) + amount
            let result = fractions.weakCompareExchange(
                expected: seen,
                desired: sum.bitPattern,
                ordering: .relaxed
            )
            if result.exchanged { return }
            seen = result.original
        }
    }

    func reset() {
        whole.store(0, ordering: .relaxed)
        fractions.store(0, ordering: .relaxed)
    }

    var value: MetricValue {
        let integer = whole.load(ordering: .relaxed) & .max
        let fraction = Double(bitPattern: fractions.load(ordering: .relaxed))
        return fraction == 0 ? .integer(integer) : .floating(Double(integer) + fraction)
    }
}

/// A value that goes up and down: a meter, or a recorder of the last value.
final class GaugeCell: MetricCell, MeterHandler, RecorderHandler {
    let id: SeriesID
    /// A leaf lock: a gauge is an exact integer as long as it is moved by integers.
    private let current = NIOLockedValueBox(MetricValue.integer(0))

    init(id: SeriesID) {
        self.id = id
    }

    func set(_ value: Int64) {
        current.withLockedValue { $0 = .integer(Int(value)) }
    }

    func set(_ value: Double) {
        current.withLockedValue { $0 = .floating(value) }
    }

    func increment(by amount: Double) {
        guard amount.isFinite else { return }
        let change = Int(exactly: amount).map(MetricValue.integer) ?? .floating(amount)
        current.withLockedValue { $0 = $0 + change }
    }

    func decrement(by amount: Double) {
        increment(by: -amount)
    }

    func record(_ value: Int64) {
        set(value)
    }

    func record(_ value: Double) {
        set(value)
    }

    var value: MetricValue { current.withLockedValue { $0 } }
}

/// A distribution: a recorder that aggregates, or a timer, in seconds.
final class HistogramCell: MetricCell, RecorderHandler, TimerHandler {
    let id: SeriesID
    /// A leaf lock: count, sum and buckets belong together.
    private let current: NIOLockedValueBox<HistogramValue>

    init(id: SeriesID, bounds: [Double]) {
        self.id = id
        self.current = NIOLockedValueBox(HistogramValue(bounds: bounds))
    }

    func record(_ value: Int64) {
        record(Double(value))
    }

    func record(_ value: Double) {
        current.withLockedValue { $0.observe(value) }
    }

    /// A negative duration, as of a clock that was set back, counts as none.
    func recordNanoseconds(_ duration: Int64) {
        record(Double(max(duration, 0)) / 1_000_000_000)
    }

    var value: MetricValue { .histogram(current.withLockedValue { $0 }) }
}
