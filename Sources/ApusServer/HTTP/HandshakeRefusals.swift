import ApusProtocol
import CoreMetrics
import Logging

/// Counts refused handshakes, and logs each with the client's address and what the client was told.
struct HandshakeRefusals: Sendable {
    private static let label = "apus.handshakes.refused"

    private let logger: Logger
    private let counters: [Handshake.Refusal.Reason: any CounterHandler]

    init(registry: MetricsRegistry, logger: Logger) {
        self.logger = logger
        registry.setHelp("WebSocket handshakes refused, by reason.", for: Self.label)
        let reasons = Handshake.Refusal.Reason.allCases.map { reason in
            (reason, registry.makeCounter(label: Self.label, dimensions: [("reason", reason.rawValue)]))
        }
        counters = Dictionary(uniqueKeysWithValues: reasons)
    }

    /// - Parameter problem: the response.
    func note(_ reason: Handshake.Refusal.Reason, _ problem: Problem, address: String) {
        counters[reason]?.increment(by: 1)
        logger.info(
            "handshake refused",
            metadata: [
                "address": "\(address)", "detail": "\(problem.detail)", "reason": "\(reason.rawValue)",
                "status": "\(problem.code.status)",
            ]
        )
    }
}
