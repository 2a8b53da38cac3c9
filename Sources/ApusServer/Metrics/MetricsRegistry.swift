public import CoreMetrics
import NIOConcurrencyHelpers

/// A backend for swift-metrics that keeps everything in memory, for Prometheus to scrape.
///
/// ```swift
/// let registry = MetricsRegistry()
/// MetricsSystem.bootstrap(registry)
/// Counter(label: "orders.shipped", dimensions: [("country", "nz")]).increment()
/// // orders_shipped_total{country="nz"} 1
/// ```
/// Counters end in `_total`; timers, and recorders that aggregate, are histograms, those of timers in `_seconds`. Each
/// series exists once: whoever asks for the same label and dimensions gets the same one, and destroys it for all.
///
/// Memory is bounded by the number of series. A series beyond the bound is folded into its family's
/// `{overflow="true"}`, so that the family's sum stays right; one of a family that does not exist yet is not exported.
/// Neither is one that would take a name which another kind of metric has. `apus_metrics_refused_total{reason}` counts
/// all three.
public final class MetricsRegistry: MetricsFactory {
    /// How many series there are at most; overflowing families have one more each.
    public let maxSeries: Int

    private let bounds: [String: [Double]]
    /// A leaf lock, held for a lookup or a copy. The values are in the cells, with locks of their own.
    private let state = NIOLockedValueBox(State())

    /// - Parameters:
    ///   - maxSeries: how many series are kept, 10,000 unless told.
    ///   - bounds: upper bounds of the buckets by label, where the usual ones do not fit; seconds for timers.
    public init(maxSeries: Int = 10_000, bounds: [String: [Double]] = [:]) {
        self.maxSeries = maxSeries
        self.bounds = bounds
    }

    /// Says what is measured under a label, for the scrape's `HELP` line.
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

    /// All series as they are now.
    var families: [MetricFamily] {
        state.withLockedValue { $0 }.families
    }
}
