import NIOCore

/// Writes metrics in the format of OpenMetrics 1.0, with exemplars, for which that of Prometheus has no place.
///
/// ```
/// # TYPE apus_messages_dropped counter
/// apus_messages_dropped_total{reason="drop-oldest"} 7 # {connection="3",topic="orders"} 7 1764520000.123
/// # EOF
/// ```
struct OpenMetricsText {
    static let contentType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    private var text = ByteBuffer()
    private let exemplars: [Exemplar.Place: Exemplar]

    /// The response to a scrape. Merges families and series that occur more than once.
    static func write(_ families: [MetricFamily], _ exemplars: [Exemplar.Place: Exemplar]) -> ByteBuffer {
        var writer = OpenMetricsText(exemplars)
        for family in MetricFamily.merged(families) where !family.samples.isEmpty { writer.write(family) }
        writer.text.writeStaticString("# EOF\n")
        return writer.text
    }

    private init(_ exemplars: [Exemplar.Place: Exemplar]) {
        self.exemplars = exemplars
    }

    private mutating func write(_ family: MetricFamily) {
        // A counter's name has the suffix on its lines, and not here.
        let name = family.kind == .counter ? String(family.name.dropLast("_total".count)) : family.name
        let help = PrometheusText.escaped(family.help, quotes: true)
        text.writeString("# TYPE \(name) \(family.kind.rawValue)\n# HELP \(name) \(help)\n")
        for sample in family.samples {
            let labels = PrometheusText.text(of: sample.labels)
            let exemplar = exemplars[Exemplar.Place(family: family.name, labels: sample.labels)]
            switch sample.value {
            case .integer(let value): writeLine(family.name, labels, "\(value)", exemplar)
            case .floating(let value): writeLine(family.name, labels, PrometheusText.number(value), exemplar)
            case .histogram(let value): write(value, family.name, sample.labels)
            }
        }
    }

    private mutating func write(_ histogram: HistogramValue, _ name: String, _ labels: MetricLabels) {
        var count = 0
        let text = PrometheusText.text(of: labels)
        let others = text.isEmpty ? "" : text + ","
        for (index, inBucket) in histogram.counts.enumerated() {
            count += inBucket
            let isLast = index == histogram.bounds.count
            // A bound has a fraction, or is infinite.
            let bound = isLast ? "+Inf" : "\(histogram.bounds[index])"
            let exemplar = exemplars[Exemplar.Place(family: name, labels: labels, bucket: index)]
            writeLine(name + "_bucket", "\(others)le=\"\(bound)\"", "\(count)", inBucket > 0 ? exemplar : nil)
        }
        writeLine(name + "_count", text, "\(count)")
        writeLine(name + "_sum", text, PrometheusText.number(histogram.sum))
    }

    private mutating func writeLine(_ name: String, _ labels: String, _ value: String, _ exemplar: Exemplar? = nil) {
        text.writeString(name)
        if !labels.isEmpty { text.writeString("{\(labels)}") }
        text.writeString(" \(value)")
        if let exemplar {
            text.writeString(" # {\(PrometheusText.text(of: exemplar.labels))}")
            text.writeString(" \(PrometheusText.number(exemplar.value)) \(Double(exemplar.time) / 1000)")
        }
        text.writeStaticString("\n")
    }
}

/// An example of what a metric counts.
struct Exemplar: Sendable, Equatable {
    /// Whose example it is.
    struct Place: Hashable, Sendable {
        var family: String
        var labels: MetricLabels = [:]
        /// For a histogram, the index of the bucket.
        var bucket: Int?
    }

    /// The most that names and values of the labels may have together, in characters (OpenMetrics 1.0, exemplars).
    static let maxLabels = 128

    let labels: MetricLabels
    let value: Double
    /// In milliseconds since 1970.
    let time: Int64

    /// - Parameter labels: the first ones count most. What is too long is cut.
    init(_ labels: [(String, String)], value: Double, time: Int64) {
        var left = Self.maxLabels - labels.reduce(0) { $0 + $1.0.utf8.count }
        var kept: [(String, String)] = []
        for (index, label) in labels.enumerated() {
            let share = left / (labels.count - index)
            let text = String(label.1.unicodeScalars.prefix(max(share, 0)))
            left -= text.unicodeScalars.count
            kept.append((label.0, text))
        }
        self.labels = MetricLabels(kept)
        self.value = value
        self.time = time
    }
}
