public import CoreMetrics
import NIOConcurrencyHelpers

/// A backend for swift-metrics that keeps all values in memory, for Prometheus to scrape.
///
/// ```swift
/// let registry = MetricsRegistry()
/// MetricsSystem.bootstrap(registry)
/// Counter(label: "orders.shipped", dimensions: [("country", "nz")]).increment()
/// // orders_shipped_total{country="nz"} 1
/// ```
/// Counters get the suffix `_total`. Timers and aggregating recorders become histograms; those of timers get the suffix
/// `_seconds`. Each series exists once: all callers with the same label and dimensions share it, and destroying it
/// destroys it for all.
///
/// Memory is bounded by the number of series. A series beyond the limit is added to its family's `{overflow="true"}`
/// series, so that the family's sum stays correct. A series is not exported if it is beyond the limit and its family
/// does not exist yet, or if a metric of another kind already uses its name. `apus_metrics_refused_total{reason}`
/// counts all three cases.
public final class MetricsRegistry: MetricsFactory {
    /// The maximum number of series. Each overflowing family has one more.
    package let maxSeries: Int

    private let bounds: [String: [Double]]
    /// A leaf lock, held only for a lookup or a copy. The values are in the cells, which have their own locks.
    private let state = NIOLockedValueBox(State())

    /// - Parameters:
    ///   - maxSeries: how many series are kept, 10,000 by default.
    ///   - bounds: upper bounds of histogram buckets by label, where the default bounds do not fit. In seconds for
    ///     timers.
    public init(maxSeries: Int = 10_000, bounds: [String: [Double]] = [:]) {
        self.maxSeries = maxSeries
        self.bounds = bounds
    }

    /// Describes what is measured under a label, for the `HELP` line of the scrape.
    public func setHelp(_ help: String, for label: String) {
        state.withLockedValue { $0.help[label] = help }
    }

    // MARK: MetricsFactory

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        counter(label, dimensions)
    }

    public func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        counter(label, dimensions)
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauge(label, dimensions)
    }

    public func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else { return gauge(label, dimensions) }
        return histogram(label, dimensions, unit: nil, bounds: HistogramValue.valueBounds)
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, dimensions, unit: "seconds", bounds: HistogramValue.durationBounds)
    }

    public func destroyCounter(_ handler: any CounterHandler) { destroy(handler) }
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { destroy(handler) }
    public func destroyMeter(_ handler: any MeterHandler) { destroy(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { destroy(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { destroy(handler) }

    // MARK: Series

    private func counter(_ label: String, _ dimensions: [(String, String)]) -> CounterCell {
        cell(label, dimensions, .counter, unit: nil) { CounterCell(id: $0) }
    }

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> GaugeCell {
        cell(label, dimensions, .gauge, unit: nil) { GaugeCell(id: $0) }
    }

    private func histogram(
        _ label: String,
        _ dimensions: [(String, String)],
        unit: String?,
        bounds usual: [Double]
    ) -> HistogramCell {
        let bounds = bounds[label] ?? usual
        return cell(label, dimensions, .histogram, unit: unit) { HistogramCell(id: $0, bounds: bounds) }
    }

    private func cell<Cell: MetricCell>(
        _ label: String,
        _ dimensions: [(String, String)],
        _ kind: MetricKind,
        unit: String?,
        make: (SeriesID) -> Cell
    ) -> Cell {
        let name = MetricName.exported(label, kind, unit: unit)
        let id = SeriesID(family: name, labels: MetricLabels(dimensions))
        return state.withLockedValue {
            $0.cell(id, label: label, kind: kind, maxSeries: maxSeries, make: make) ?? make(id)
        }
    }

    private func destroy(_ handler: any Sendable) {
        guard let cell = handler as? any MetricCell else { return }
        state.withLockedValue { $0.remove(cell) }
    }

    // MARK: Scrape

    /// A snapshot of all series.
    var families: [MetricFamily] {
        state.withLockedValue { $0 }.families
    }
}
