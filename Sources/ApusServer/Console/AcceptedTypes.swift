/// A client's `Accept` field (RFC 9110 section 12.5.1), as far as answers depend on it.
struct AcceptedTypes {
    private let weights: [String: Double]

    init(_ values: [String]) {
        var weights: [String: Double] = [:]
        for element in values.flatMap({ $0.split(separator: ",") }) {
            let parts = element.split(separator: ";").map { $0.trimmingBlanks.lowercased() }
            guard let type = parts.first, !type.isEmpty else { continue }
            let weight = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
            weights[type] = max(weights[type] ?? 0, min(max(weight, 0), 1))
        }
        self.weights = weights
    }

    /// Whether a page is wanted rather than JSON. Programs that take anything get JSON.
    var prefersPage: Bool {
        let page = weight(of: "text/html", in: "text/*")
        return page > weight(of: "application/json", in: "application/*")
    }

    /// Whether metrics are wanted in the format of OpenMetrics. Who does not name it gets that of Prometheus.
    var prefersOpenMetrics: Bool {
        guard let weight = weights["application/openmetrics-text"], weight > 0 else { return false }
        return weight >= weights["text/plain"] ?? 0
    }

    private func weight(of type: String, in range: String) -> Double {
        weights[type] ?? weights[range] ?? weights["*/*"] ?? 0
    }
}
