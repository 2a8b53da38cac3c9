import ApusBroker
import ApusProtocol
import Logging
import Tracing

/// The spans that the server makes, by the semantic conventions of OpenTelemetry, where a collector is set.
///
/// ```
/// client's span ──► POST /topics/{name}/messages   server     only over HTTP
///                     └─► publish orders           producer   until the messages are in the log, or kept
///                           └─► deliver orders     producer   for each loop: one fan-out of what is new
/// ```
/// Only a trace that its beginner records has spans. Requests without one begin a trace at the ratio `tracing.sample`.
struct SpanSource: Sendable {
    let tracer: OTLPTracer
    private let ratio: Double

    init(_ settings: ServerConfiguration.Tracing, queue: SpanQueue) {
        tracer = OTLPTracer(queue: queue)
        ratio = settings.sample
    }

    var queue: SpanQueue { tracer.queue }

    /// Whether a request that brings no trace begins one.
    func samples() -> Bool { ratio > 0 && Double.random(in: 0..<1) < ratio }

    /// Begins the span of a publish whose trace is recorded.
    ///
    /// - Parameter id: of the only message.
    func beginPublish(messages: Int, id: String, connection: UInt64? = nil, after trace: TraceContext) -> PublishSpan {
        PublishSpan(
            trace: next(after: trace),
            parent: trace.spanID,
            messages: messages,
            messageID: id,
            connection: connection,
            start: Self.now()
        )
    }

    func end(_ span: PublishSpan, of topicJSON: [UInt8], _ outcome: PublishSpan.Outcome) {
        queue.add(.publish(span.ended(topicJSON, outcome, at: Self.now())))
    }

    /// A span of the same trace.
    fileprivate func next(after trace: TraceContext) -> TraceContext {
        trace.next(tracer.ids.next())
    }

    /// The time, in nanoseconds since 1970.
    fileprivate static func now() -> UInt64 { DefaultTracerClock.now.nanosecondsSinceEpoch }
}

/// The spans of one event loop. Used only on it.
final class LoopSpans: SpanWatch {
    let source: SpanSource
    private let loop: String
    /// The spans of publishes that wait, by the number of their connection.
    private var waiting: [UInt64: PublishSpan] = [:]

    init(_ source: SpanSource, loop: String) {
        self.source = source
        self.loop = loop
    }

    func keep(_ span: PublishSpan, to topicJSON: [UInt8], of connection: UInt64) {
        waiting[connection] = span.waiting(topicJSON)
    }

    func takeWaiting(of connection: UInt64) -> PublishSpan? {
        waiting.isEmpty ? nil : waiting.removeValue(forKey: connection)
    }

    // MARK: Deliveries

    func now() -> UInt64 { SpanSource.now() }

    func delivered(_ drain: TracedDrain) {
        let span = DeliverySpan(
            trace: source.next(after: drain.traces[0]),
            links: drain.traces,
            topicJSON: drain.topic.template.topicJSON,
            loop: loop,
            messages: drain.messages,
            subscriptions: drain.subscriptions,
            deliveries: drain.deliveries,
            start: drain.start,
            // The wall clock may have been set back meanwhile.
            end: max(now(), drain.start)
        )
        source.queue.add(.delivery(span))
    }
}

/// Ends the span of a publish when its commit is kept, or has failed.
final class SpanOfCommit: CommitWaiter {
    private let source: SpanSource
    private let span: PublishSpan
    private let topicJSON: [UInt8]
    private let receipt: PublishReceipt

    init(_ source: SpanSource, _ span: PublishSpan, of topicJSON: [UInt8], _ receipt: PublishReceipt) {
        (self.source, self.span, self.topicJSON, self.receipt) = (source, span, topicJSON, receipt)
    }

    func settled(_ commit: Commit, _ outcome: Commit.Outcome) {
        switch outcome {
        case .kept: source.end(span, of: topicJSON, .published(commit.relocation?.settled(receipt) ?? receipt))
        case .failed(let failure):
            source.end(span, of: topicJSON, .failed(ErrorCode.unavailable.rawValue, message: failure.message))
        }
    }
}
