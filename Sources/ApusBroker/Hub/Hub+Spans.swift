package import ApusProtocol

/// Records what a hub delivers of messages whose traces are recorded. It lives on the hub's loop.
package protocol SpanWatch: AnyObject {
    /// The time, in nanoseconds since 1970.
    func now() -> UInt64
    func delivered(_ drain: TracedDrain)
}

/// One delivery of a topic's news to the subscriptions of a hub, with messages whose traces are recorded.
package final class TracedDrain {
    /// The most traces of one drain. More of them are not told.
    package static let limit = 32

    package let topic: Topic
    /// Where the traces of its messages go on, in order; at least one.
    package let traces: [TraceContext]
    /// How many messages are new, those without a trace included.
    package let messages: UInt64
    package let subscriptions: Int
    /// In nanoseconds since 1970.
    package let start: UInt64
    /// Messages handed to subscribers.
    package fileprivate(set) var deliveries: UInt64 = 0
    fileprivate var deliveredBefore: UInt64 = 0

    fileprivate init(_ reader: TopicReader, _ traces: [TraceContext], start: UInt64) {
        topic = reader.topic
        self.traces = traces
        messages = reader.head - reader.seenHead
        subscriptions = reader.subscriptions.count
        self.start = start
    }
}

extension Hub {
    /// Prepares a drain, or a further part of one, so that ``noteDelivered(of:isDone:)`` can tell of it.
    @inline(never)
    func watch(_ reader: TopicReader, isFirst: Bool) {
        if isFirst, let spanWatch {
            let traces = sampledTraces(of: reader)
            reader.traced = traces.isEmpty ? nil : TracedDrain(reader, traces, start: spanWatch.now())
        }
        reader.traced?.deliveredBefore = counters.delivered
    }

    /// Notes what a drain, or a part of one, has delivered.
    @inline(never)
    func noteDelivered(of reader: TopicReader, isDone: Bool) {
        guard let drain = reader.traced else { return }
        drain.deliveries += counters.delivered - drain.deliveredBefore
        guard isDone else { return }
        reader.traced = nil
        spanWatch?.delivered(drain)
    }

    private func sampledTraces(of reader: TopicReader) -> [TraceContext] {
        guard let newest = reader.newest, reader.seenHead < reader.head else { return [] }
        var traces: [TraceContext] = []
        var offset = reader.seenHead
        while offset < newest.first, traces.count < TracedDrain.limit {
            // The rest of the news is in older batches, which may be gone for who is that far behind.
            guard case .success(let batch) = reader.topic.batch(at: offset), batch.end > offset else { break }
            batch.addSampledTraces(from: offset, to: &traces)
            offset = batch.end
        }
        newest.addSampledTraces(from: max(newest.first, reader.seenHead), to: &traces)
        return traces
    }
}

extension Batch {
    /// Adds traces that are recorded, up to ``TracedDrain/limit`` in all.
    fileprivate func addSampledTraces(from offset: Offset, to traces: inout [TraceContext]) {
        guard let details, details.haveTraces else { return }
        let all = details.all
        for index in Int(offset - first)..<all.count where !all[index].isNone && traces.count < TracedDrain.limit {
            let trace = all[index].trace?.withUnsafeBytes { TraceContext(json: $0) }
            if let trace, trace.isSampled { traces.append(trace) }
        }
    }
}
