import CoreMetrics
import Logging

/// Counts and logs connections and requests that are refused for the address that they come from.
struct ConnectionRefusals: Sendable {
    private static let label = "apus.connections.refused"

    enum Reason: String, CaseIterable {
        case connectionsPerAddress = "connections_per_address"
        case proxyHeader = "proxy_header"
        /// The client does not speak TLS where the server does.
        case plainText = "plain_text"
    }

    private let logger: Logger
    private let counters: [Reason: any CounterHandler]

    init(registry: MetricsRegistry, logger: Logger) {
        self.logger = logger
        registry.setHelp("Connections, and requests of proxies' connections, refused, by reason.", for: Self.label)
        let reasons = Reason.allCases.map { reason in
            (reason, registry.makeCounter(label: Self.label, dimensions: [("reason", reason.rawValue)]))
        }
        counters = Dictionary(uniqueKeysWithValues: reasons)
    }

    /// Counts what is logged elsewhere.
    func count(_ reason: Reason) {
        counters[reason]?.increment(by: 1)
    }

    /// - Parameters:
    ///   - status: the status code of the response.
    ///   - address: the client's address; for a broken header, the proxy's.
    func note(_ reason: Reason, status: Int, address: String) {
        count(reason)
        logger.info(
            "connection refused",
            metadata: ["address": "\(address)", "reason": "\(reason.rawValue)", "status": "\(status)"]
        )
    }
}
