import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

@testable import ApusServer

/// What tells an operator whether the server is fit for work.
@Suite struct OperationMetricsTests {
    private func value(_ name: String, _ families: [MetricFamily]) -> MetricValue? {
        families.first { $0.name == name }?.samples.first?.value
    }

    @Test(arguments: [false, true])
    func `a server is ready unless it drains or its journal has failed`(isDraining: Bool) {
        for failure in [nil, CommitFailure(message: "no", isFinal: true)] {
            let families = ServerMetrics.readiness(isDraining: isDraining, failure)
            #expect(value("apus_ready", families) == .integer(isDraining || failure != nil ? 0 : 1))
            #expect(value("apus_draining", families) == .integer(isDraining ? 1 : 0))
        }
    }

    @Test func `limits are those of the settings`() {
        var limits = ServerConfiguration.Limits()
        (limits.maxConnections, limits.maxTopics, limits.maxConsoles) = (1, 2, 3)
        let families = ServerMetrics.limits(limits)
        let names = ["apus_connections_limit", "apus_topics_limit", "apus_consoles_limit"]
        #expect(names.map { value($0, families) } == [.integer(1), .integer(2), .integer(3)])
    }

    @Test func `the folder's limit and what is free on its disk are told, if the system knows that`() {
        var storage = ServerConfiguration.Storage()
        (storage.data, storage.dataBytes) = ("/", 1000)
        let families = ServerMetrics.journal(ManualJournal(), storage)
        #expect(value("apus_data_limit_bytes", families) == .integer(1000))
        #expect(value("apus_journal_failed", families) == .integer(0))
        guard case .integer(let free) = value("apus_data_free_bytes", families) else {
            Issue.record("the file system of / is not known")
            return
        }
        #expect(free >= 0)
        storage.data = "/no/such/folder"
        #expect(value("apus_data_free_bytes", ServerMetrics.journal(ManualJournal(), storage)) == nil)
    }

    @Test func `every level of the log begins at 0`() {
        let samples = ServerMetrics.log(RecentLog.Counts()).samples
        #expect(samples.map(\.value) == [.integer(0), .integer(0), .integer(0)])
    }
}
