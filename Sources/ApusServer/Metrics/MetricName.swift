/// Names of metrics and labels, limited to the characters that every version of Prometheus accepts.
///
/// Newer versions accept any UTF-8 in quotes. Older versions and most tools reject the whole scrape for one such name.
enum MetricName {
    /// The longest name, in bytes. Longer names are cut. Suffixes come on top.
    static let maxLength = 200

    /// The name under which a swift-metrics label is exported: `http_requests_total` for `http.requests`.
    ///
    /// - Parameter unit: the base unit of the measured values. It becomes a suffix of the name.
    static func exported(_ label: String, _ kind: MetricKind, unit: String? = nil) -> String {
        var name = sanitized(label)
        for suffix in [unit.map { "_" + $0 }, kind == .counter ? "_total" : nil] {
            if let suffix, !name.hasSuffix(suffix) { name += suffix }
        }
        return name
    }

    /// The name of a label: `http_method` for `http.method`.
    ///
    /// Names with two leading underscores are reserved by Prometheus, and `le` is the bound of a histogram's bucket.
    static func label(_ dimension: String) -> String {
        let name = sanitized(dimension)
        if name == "le" { return "le_" }
        return name.hasPrefix("__") ? "_" + name.drop { $0 == "_" } : name
    }

    /// Keeps letters, digits and underscores, with no leading digit. Colons are reserved for recording rules.
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
