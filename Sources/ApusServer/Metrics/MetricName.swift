/// The names of metrics and labels, in the characters that every version of Prometheus takes.
///
/// Newer ones take any UTF-8, in quotes; older ones, and most tools, refuse a whole scrape for one such name.
enum MetricName {
    /// A longer name is cut, in bytes. Suffixes come on top.
    static let maxLength = 200

    /// The name under which a swift-metrics label is exported: `http.requests` as `http_requests_total`.
    ///
    /// - Parameter unit: the base unit of what is measured, which the name must end with.
    static func exported(_ label: String, _ kind: MetricKind, unit: String? = nil) -> String {
        var name = sanitized(label)
        for suffix in [unit.map { "_" + $0 }, kind == .counter ? "_total" : nil] {
            if let suffix, !name.hasSuffix(suffix) { name += suffix }
        }
        return name
    }

    /// The name of a label: `http.method` as `http_method`.
    ///
    /// Two underscores in front are Prometheus' own, and `le` is the bound of a histogram's bucket.
    static func label(_ dimension: String) -> String {
        let name = sanitized(dimension)
        if name == "le" { return "le_" }
        return name.hasPrefix("__") ? "_" + name.drop { $0 == "_" } : name
    }

    /// Letters, digits and underscores, beginning with no digit. Colons are for the names of recording rules.
    private static func sanitized(_ text: String) -> String {
        var name = ""
        for scalar in text.unicodeScalars {
            guard name.utf8.count < maxLength else { break }
            switch scalar {
            case "a"..."z", "A"..."Z", "_":
                name.unicodeScalars.append(scalar)
            case "0"..."9":
                if name.isEmpty { name = "_" }
                name.unicodeScalars.append(scalar)
            default:
                name += "_"
            }
        }
        return name.isEmpty ? "_" : name
    }
}
