import CoreMetrics
import Tracing

/// Counts and times HTTP requests.
struct RequestMetrics: Sendable {
    /// The known methods. Any other method counts as `other`, because clients may send anything.
    private static let methods: Set = [
        "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
    ]
    private static let requests = "apus.http.requests"
    private static let durations = "apus.http.request.duration"

    private let registry: MetricsRegistry
    private let duration: any TimerHandler
    /// `nil` if no traces are recorded.
    let exemplars: RequestExemplars?

    /// The name of the durations on a scrape.
    static let durationFamily = MetricName.exported(durations, .histogram, unit: "seconds")

    init(registry: MetricsRegistry, isTraced: Bool = false) {
        self.registry = registry
        exemplars = isTraced ? RequestExemplars() : nil
        registry.setHelp("HTTP requests answered, handshakes not included.", for: Self.requests)
        registry.setHelp(
            "From a request's head to that of its answer; a long poll waits in between.",
            for: Self.durations
        )
        self.duration = registry.makeTimer(label: Self.durations, dimensions: [])
    }

    /// Counts an error by its code. The event loops count their own errors separately.
    func count(_ code: String) {
        registry.makeCounter(label: "apus.errors", dimensions: [("code", code)]).increment(by: 1)
    }

    /// Records a response and its duration.
    func record(method: String, status: Int, took: Duration) {
        count(method: method, status: status)
        let (seconds, attoseconds) = took.components
        duration.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
        if let exemplars, let trace = ServiceContext.current?.trace, trace.isSampled {
            exemplars.add(trace, took: Double(seconds) + Double(attoseconds) / 1e18)
        }
    }

    /// Counts a request that was refused before it reached the router.
    ///
    /// - Parameter method: `nil` when the request could not be parsed.
    func count(method: String?, status: Int) {
        let method = method.flatMap { Self.methods.contains($0) ? $0 : nil } ?? "other"
        let dimensions = [("method", method), ("status", "\(status)")]
        registry.makeCounter(label: Self.requests, dimensions: dimensions).increment(by: 1)
    }
}
