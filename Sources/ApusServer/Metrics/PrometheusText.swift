import NIOCore

/// Writes metrics in Prometheus' text format, version 0.0.4.
///
/// ```
/// # HELP apus_connections Open connections.
/// # TYPE apus_connections gauge
/// apus_connections{transport="websocket"} 12
/// ```
struct PrometheusText {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private var text = ByteBuffer()

    /// The response to a scrape. Merges families and series that occur more than once.
    static func write(_ families: [MetricFamily]) -> ByteBuffer {
        var writer = PrometheusText()
        for family in MetricFamily.merged(families) where !family.samples.isEmpty { writer.write(family) }
        return writer.text
    }

    private mutating func write(_ family: MetricFamily) {
        let help = Self.escaped(family.help, quotes: false)
        text.writeString("# HELP \(family.name) \(help)\n# TYPE \(family.name) \(family.kind.rawValue)\n")
        for sample in family.samples {
            let labels = Self.text(of: sample.labels)
            switch sample.value {
            case .integer(let value): writeLine(family.name, labels, "\(value)")
            case .floating(let value): writeLine(family.name, labels, Self.number(value))
            case .histogram(let value): write(value, family.name, labels)
            }
        }
    }

    /// Writes a histogram. Prometheus' buckets are cumulative: each includes the counts of the buckets before it.
    private mutating func write(_ histogram: HistogramValue, _ name: String, _ labels: String) {
        var count = 0
        let others = labels.isEmpty ? "" : labels + ","
        for (index, inBucket) in histogram.counts.enumerated() {
            count += inBucket
            let bound = index < histogram.bounds.count ? histogram.bounds[index] : .infinity
            writeLine(name + "_bucket", "\(others)le=\"\(Self.number(bound))\"", "\(count)")
        }
        writeLine(name + "_sum", labels, Self.number(histogram.sum))
        writeLine(name + "_count", labels, "\(count)")
    }

    private mutating func writeLine(_ name: String, _ labels: String, _ value: String) {
        text.writeString(name)
        if !labels.isEmpty { text.writeString("{\(labels)}") }
        text.writeString(" \(value)\n")
    }

    static func text(of labels: MetricLabels) -> String {
        labels.sorted.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }.joined(separator: ",")
    }

    /// Works on bytes, because Swift treats a carriage return and a following newline as one character.
    static func escaped(_ string: String, quotes: Bool) -> String {
        let escapes: (UInt8) -> StaticString? = { byte in
            switch byte {
            case UInt8(ascii: "\\"): #"\\"#
            case UInt8(ascii: "\n"): #"\n"#
            case UInt8(ascii: "\""): quotes ? #"\""# : nil
            default: nil
            }
        }
        guard string.utf8.contains(where: { escapes($0) != nil }) else { return string }
        var bytes: [UInt8] = []
        for byte in string.utf8 {
            if let escape = escapes(byte) { bytes += escape.description.utf8 } else { bytes.append(byte) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Writes integers without a fraction, and other numbers with enough digits to read the same number back.
    static func number(_ value: Double) -> String {
        if let integer = Int(exactly: value) { return "\(integer)" }
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return "\(value)"
    }
}
