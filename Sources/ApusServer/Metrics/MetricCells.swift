import CoreMetrics
import NIOConcurrencyHelpers
import Synchronization

/// Identifies a series.
struct SeriesID: Hashable, Sendable {
    let family: String
    let labels: MetricLabels
}

/// The value of one series. Any thread may write it, and a scrape may read it on any thread.
protocol MetricCell: AnyObject, Sendable {
    /// The cell's key in the registry.
    var id: SeriesID { get }
    var value: MetricValue { get }
}

/// A counter of integers, of fractions, or of both.
final class CounterCell: MetricCell, CounterHandler, FloatingPointCounterHandler {
    let id: SeriesID
    /// Wraps around: after 2⁶³ it starts again at 0, which Prometheus takes for a restart.
    private let whole = Atomic<Int>(0)
    /// The bit pattern of a `Double`.
    private let fractions = Atomic<UInt64>(0)

    init(id: SeriesID) {
        self.id = id
    }

    /// Ignores negative amounts: a counter only grows.
    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        whole.wrappingAdd(Int(amount), ordering: .relaxed)
    }

    /// Ignores amounts that are negative or not finite.
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
    /// A leaf lock. A gauge is an exact integer as long as it changes by integers only.
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
    /// A leaf lock, because count, sum and buckets must stay consistent.
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

    /// A negative duration counts as 0. It occurs when a clock is set back.
    func recordNanoseconds(_ duration: Int64) {
        record(Double(max(duration, 0)) / 1_000_000_000)
    }

    var value: MetricValue { .histogram(current.withLockedValue { $0 }) }
}
