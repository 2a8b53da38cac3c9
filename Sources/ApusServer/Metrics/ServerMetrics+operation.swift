import ApusBroker
import ApusProtocol

// Whether the server is fit for work, how much it may take, and what it has warned of.

extension ServerMetrics {
    /// As the probe of readiness has it.
    ///
    /// - Parameter failure: why nothing can be kept any more, if so.
    static func readiness(isDraining: Bool, _ failure: CommitFailure?) -> [MetricFamily] {
        let isReady = !isDraining && failure == nil
        return [
            .gauge("apus_ready", "1 while /readyz says that the server is ready.", isReady ? 1 : 0),
            .gauge("apus_draining", "1 from the moment the server is told to stop.", isDraining ? 1 : 0),
        ]
    }

    static func limits(_ limits: ServerConfiguration.Limits) -> [MetricFamily] {
        [
            .gauge("apus_connections_limit", "The setting max_connections.", limits.maxConnections),
            .gauge("apus_topics_limit", "The setting max_topics.", limits.maxTopics),
            .gauge("apus_consoles_limit", "The setting max_consoles.", limits.maxConsoles),
        ]
    }

    static func log(_ counts: RecentLog.Counts) -> MetricFamily {
        .counter(
            "apus_log_records_total",
            "Warnings and errors that were logged, by level.",
            ["warning": counts.warnings, "error": counts.errors, "critical": counts.criticals],
            label: "level"
        )
    }
}
