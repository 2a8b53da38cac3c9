import ApusProtocol
import Tracing

/// The tracer of swift-distributed-tracing whose spans go to an OpenTelemetry collector.
///
/// A span is recorded if its parent is, and if it has none: who begins a trace decides. For requests, ``SpanSource``
/// does.
struct OTLPTracer: Tracer {
    typealias Span = RecordedSpan

    private static let (field, stateField) = ("traceparent", "tracestate")

    let queue: SpanQueue
    let ids = SpanIDs()

    func startSpan<Instant: TracerInstant>(
        _ operationName: String,
        context: @autoclosure () -> ServiceContext,
        ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant,
        function: String,
        file fileID: String,
        line: UInt
    ) -> RecordedSpan {
        var context = context()
        let parent = context.trace
        if let parent, !parent.isSampled { return RecordedSpan(nil, context: context, queue: queue) }
        let trace = TraceContext(
            traceID: parent?.traceID ?? .random(in: 1 ... .max),
            spanID: ids.next(),
            // A new trace id is random in all its bits (W3C Trace Context level 2, section 3.2.2.5.2).
            flags: parent?.flags ?? 0b11,
            state: parent?.state
        )
        context.trace = trace
        let record = SpanRecord(
            name: operationName,
            kind: kind,
            context: trace,
            parent: parent?.spanID,
            start: instant().nanosecondsSinceEpoch
        )
        return RecordedSpan(record, context: context, queue: queue)
    }

    func inject<Carrier, Inject: Injector>(
        _ context: ServiceContext,
        into carrier: inout Carrier,
        using injector: Inject
    ) where Inject.Carrier == Carrier {
        guard let trace = context.trace else { return }
        injector.inject("\(trace)", forKey: Self.field, into: &carrier)
        if let state = trace.state { injector.inject(state.text, forKey: Self.stateField, into: &carrier) }
    }

    func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier,
        into context: inout ServiceContext,
        using extractor: Extract
    ) where Extract.Carrier == Carrier {
        context.trace = extractor.extract(key: Self.field, from: carrier).flatMap { TraceContext($0) }
        context.trace?.state = extractor.extract(key: Self.stateField, from: carrier).flatMap { TraceState($0) }
    }

    /// Required by a protocol that is deprecated.
    func startAnySpan<Instant: TracerInstant>(
        _ operationName: String,
        context: @autoclosure () -> ServiceContext,
        ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant,
        function: String,
        file fileID: String,
        line: UInt
    ) -> any Tracing.Span {
        startSpan(
            operationName,
            context: context(),
            ofKind: kind,
            at: instant(),
            function: function,
            file: fileID,
            line: line
        )
    }

    /// ``SpanExporter`` sends what there is in time.
    func forceFlush() {}
}
