/// The labels of one series: sorted by name, each name once, within bounds.
///
/// Sorted, so that the same labels in another order are the same series. Values are compared as Swift does: two
/// spellings of one accented letter are one value.
struct MetricLabels: Hashable, Sendable {
    struct Label: Hashable, Sendable {
        let name: String
        let value: String
    }

    /// Labels beyond this number are left out.
    static let maxCount = 32
    /// A longer value is cut, in bytes of UTF-8.
    static let maxValueLength = 256

    /// What the series of a family beyond the registry's bound are folded into.
    static let overflow: MetricLabels = ["overflow": "true"]

    let sorted: [Label]

    /// Takes the first of those whose names are the same. An empty value means for Prometheus that there is no label.
    init(_ dimensions: [(String, String)]) {
        var sorted: [Label] = []
        for (name, value) in dimensions where !value.isEmpty && sorted.count < Self.maxCount {
            let label = Label(name: MetricName.label(name), value: Self.cut(value))
            if !sorted.contains(where: { $0.name == label.name }) { sorted.append(label) }
        }
        sorted.sort { $0.name < $1.name }
        self.sorted = sorted
    }

    /// At most as many bytes as allowed, in whole Unicode scalars.
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
