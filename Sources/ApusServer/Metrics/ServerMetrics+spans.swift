import ApusBroker

extension ServerMetrics {
    /// What became of spans.
    static func spans(_ figures: SpanQueue.Figures) -> [MetricFamily] {
        [
            .counter("apus_spans_exported_total", "Spans that the collector took.", figures.exported),
            .counter(
                "apus_spans_dropped_total",
                "Spans dropped: the queue was full, or the collector did not take them.",
                ["queue": figures.droppedQueue, "export": figures.droppedExport],
                label: "reason"
            ),
            .gauge("apus_spans_waiting", "Spans that wait for the collector.", figures.waiting),
        ]
    }

    /// The subscriptions that missed messages last, and the requests whose traces were recorded.
    func exemplars() async -> [Exemplar.Place: Exemplar] {
        let examples = await contexts.collect { $0.hub.takeDropExamples() }.flatMap(\.self)
        var exemplars = requests.exemplars?.all(of: RequestMetrics.durationFamily) ?? [:]
        for example in examples.sorted(by: { $0.time < $1.time }) {
            let place = Exemplar.Place(
                family: "apus_messages_dropped_total",
                labels: ["reason": example.reason.rawValue]
            )
            exemplars[place] = Exemplar(
                [("connection", "\(example.connection)"), ("topic", example.topic), ("client_id", example.clientID)],
                value: Double(example.count),
                time: example.time
            )
        }
        return exemplars
    }
}
