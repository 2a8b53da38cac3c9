/// The labels of one series: sorted by name, each name once, limited in number and length.
///
/// They are sorted so that the same labels in another order are the same series. Values are compared as Swift strings:
/// two encodings of one accented letter are equal.
struct MetricLabels: Hashable, Sendable {
    struct Label: Hashable, Sendable {
        let name: String
        let value: String
    }

    /// The most labels of a series. Further labels are dropped.
    static let maxCount = 32
    /// The longest value, in bytes of UTF-8. Longer values are cut.
    static let maxValueLength = 256

    /// The labels of the series that collects a family's series beyond the registry's limit.
    static let overflow: MetricLabels = ["overflow": "true"]

    let sorted: [Label]

    /// Of several labels with the same name, the first counts. To Prometheus, an empty value means that there is no
    /// label.
    init(_ dimensions: [(String, String)]) {
        var sorted: [Label] = []
        for (name, value) in dimensions where !value.isEmpty && sorted.count < Self.maxCount {
            let label = Label(name: MetricName.label(name), value: Self.cut(value))
            if !sorted.contains(where: { $0.name == label.name }) { sorted.append(label) }
        }
        sorted.sort { $0.name < $1.name }
        self.sorted = sorted
    }

    /// Cuts a value to the allowed number of bytes, in whole Unicode scalars.
    private static func cut(_ value: String) -> String {
        guard value.utf8.count > maxValueLength else { return value }
        var length = 0
        let kept = value.unicodeScalars.prefix { scalar in
            length += UTF8.width(scalar)
            return length <= maxValueLength
        }
        return String(kept)
    }
}

extension MetricLabels: ExpressibleByDictionaryLiteral {
    init(dictionaryLiteral elements: (String, String)...) {
        self.init(elements)
    }
}

extension MetricLabels: Comparable {
    static func < (left: MetricLabels, right: MetricLabels) -> Bool {
        left.sorted.lexicographicallyPrecedes(right.sorted) {
            $0.name == $1.name ? $0.value < $1.value : $0.name < $1.name
        }
    }
}
