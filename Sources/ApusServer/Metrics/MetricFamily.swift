/// The kind of a metric in Prometheus.
enum MetricKind: String, Sendable {
    /// A value that only grows while the process lives.
    case counter
    case gauge
    case histogram

    /// The names on the lines of a family. No other family may use one of them.
    func sampleNames(of family: String) -> [String] {
        switch self {
        case .counter, .gauge: [family]
        case .histogram: [family, family + "_bucket", family + "_sum", family + "_count"]
        }
    }
}

/// The value of one series at one moment.
enum MetricValue: Equatable, Sendable {
    /// Written exactly, even where a `Double` would round.
    case integer(Int)
    case floating(Double)
    case histogram(HistogramValue)

    static func + (left: MetricValue, right: MetricValue) -> MetricValue {
        switch (left, right) {
        case (.integer(let left), .integer(let right)):
            let sum = left.addingReportingOverflow(right)
            return sum.overflow ? .floating(Double(left) + Double(right)) : .integer(sum.partialValue)
        case (.histogram(let left), .histogram(let right)):
            return .histogram(left + right)
        default:
            guard let left = left.number, let right = right.number else { return left }
            return .floating(left + right)
        }
    }

    private var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .floating(let value): value
        case .histogram: nil
        }
    }

    fileprivate var isHistogram: Bool {
        if case .histogram = self { true } else { false }
    }
}

/// All series of one name at the moment of a scrape.
struct MetricFamily: Equatable, Sendable {
    struct Sample: Equatable, Sendable {
        var labels: MetricLabels
        var value: MetricValue

        init(_ labels: MetricLabels, _ value: MetricValue) {
            self.labels = labels
            self.value = value
        }
    }

    let name: String
    let help: String
    let kind: MetricKind
    var samples: [Sample]

    /// - Parameters:
    ///   - name: the name, which is converted to one that Prometheus accepts. A counter's name gets the suffix
    ///     `_total`.
    ///   - help: one sentence about what is measured.
    init(name: String, help: String, kind: MetricKind, samples: [Sample]) {
        precondition(samples.allSatisfy { $0.value.isHistogram == (kind == .histogram) }, "A sample of another kind")
        self.name = MetricName.exported(name, kind)
        self.help = help
        self.kind = kind
        self.samples = samples
    }

    /// Creates a family with one series without labels.
    init(name: String, help: String, kind: MetricKind, value: MetricValue) {
        self.init(name: name, help: help, kind: kind, samples: [Sample([:], value)])
    }

    var sampleNames: [String] { kind.sampleNames(of: name) }
}
