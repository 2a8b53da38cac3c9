import ApusProtocol
import Tracing

/// A span that has ended, as the collector gets it.
struct SpanRecord: Sendable {
    /// The most attributes of a span, events and links. More are left out and counted in the span.
    static let (maxAttributes, maxEvents, maxLinks) = (64, 16, 32)

    var name: String
    let kind: SpanKind
    /// The span itself.
    let context: TraceContext
    /// The span that it belongs to.
    let parent: UInt64?
    /// In nanoseconds since 1970.
    let start: UInt64
    var end: UInt64 = 0
    var attributes = SpanAttributes()
    var events: [SpanEvent] = []
    var links: [TraceContext] = []
    var status: SpanStatus?
    /// How many events and links were left out.
    var leftOut = (events: 0, links: 0)
}

extension ServiceContext {
    private enum Key: ServiceContextKey {
        typealias Value = TraceContext
        static var nameOverride: String? { "traceparent" }
    }

    /// The span that is under way, or that a request came from.
    var trace: TraceContext? {
        get { self[Key.self] }
        set { self[Key.self] = newValue }
    }

    init(_ trace: TraceContext?) {
        self = .topLevel
        self.trace = trace
    }
}
