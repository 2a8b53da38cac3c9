import ApusBroker
import ApusJournal

extension ServerMetrics {
    static func journal(_ journal: any Journal, _ settings: ServerConfiguration.Storage) -> [MetricFamily] {
        let figures = journal.figures
        let families: [MetricFamily] = [
            .counter("apus_commits_total", "Commits written to the disk.", figures.commits),
            .counter("apus_committed_messages_total", "Messages in these.", figures.messages),
            .counter("apus_committed_bytes_total", "Bytes of these.", figures.bytes),
            .counter("apus_commit_failures_total", "Commits and changes that could not be kept.", figures.failures),
            MetricFamily(
                name: "apus_commit_seconds",
                help: "How long commits took to be written and flushed.",
                kind: .histogram,
                samples: [.init([:], .histogram(HistogramValue(figures.times)))]
            ),
            .gauge("apus_data_segments", "Segments with messages.", figures.segments),
            .gauge("apus_data_bytes", "Bytes of messages on the disk.", figures.size),
            .gauge("apus_data_wanted_bytes", "Bytes of these that history still has.", figures.wantedSize),
            .gauge("apus_data_limit_bytes", "The setting data_bytes; 0 means no limit.", settings.dataBytes),
            .gauge(
                "apus_journal_failed",
                "1 when nothing can be kept until the server is started again.",
                journal.failure == nil ? 0 : 1
            ),
        ]
        guard let free = FreeSpace.bytes(at: settings.data) else { return families }
        return families + [.gauge("apus_data_free_bytes", "Bytes free on the data folder's file system.", free)]
    }
    static func notesLeftOut(_ journal: ClusterJournal) -> MetricFamily {
        .counter(
            "apus_cluster_notes_left_out_total",
            "Notes of the cluster's registry that this node did not take, as there are too many.",
            journal.status.notesLeftOut
        )
    }
}
