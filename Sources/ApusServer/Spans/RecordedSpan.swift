import ApusProtocol
import NIOConcurrencyHelpers
import Tracing

/// A span of ``OTLPTracer``. What is set after its end is lost.
final class RecordedSpan: Span {
    let context: ServiceContext
    /// `nil` if the span is not recorded, or has ended.
    private let record: NIOLockedValueBox<SpanRecord?>
    private let queue: SpanQueue

    /// - Parameter record: `nil` for a span that only passes its context on.
    init(_ record: SpanRecord?, context: ServiceContext, queue: SpanQueue) {
        self.record = NIOLockedValueBox(record)
        self.context = context
        self.queue = queue
    }

    var isRecording: Bool { record.withLockedValue { $0 != nil } }

    var operationName: String {
        get { record.withLockedValue { $0?.name ?? "" } }
        set { record.withLockedValue { $0?.name = newValue } }
    }

    var attributes: SpanAttributes {
        get { record.withLockedValue { $0?.attributes ?? SpanAttributes() } }
        set { record.withLockedValue { $0?.attributes = newValue } }
    }

    func setStatus(_ status: SpanStatus) {
        record.withLockedValue { $0?.status = status }
    }

    func addEvent(_ event: SpanEvent) {
        record.withLockedValue { record in
            guard record?.events.count ?? 0 < SpanRecord.maxEvents else {
                record?.leftOut.events += 1
                return
            }
            record?.events.append(event)
        }
    }

    func recordError<Instant: TracerInstant>(
        _ error: any Error,
        attributes: SpanAttributes,
        at instant: @autoclosure () -> Instant
    ) {
        var attributes = attributes
        attributes["exception.type"] = String(reflecting: type(of: error))
        attributes["exception.message"] = "\(error)"
        addEvent(SpanEvent(name: "exception", at: instant(), attributes: attributes))
    }

    func addLink(_ link: SpanLink) {
        guard let trace = link.context.trace else { return }
        record.withLockedValue { record in
            guard record?.links.count ?? 0 < SpanRecord.maxLinks else {
                record?.leftOut.links += 1
                return
            }
            record?.links.append(trace)
        }
    }

    func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        let ended = record.withLockedValue { record in
            defer { record = nil }
            return record
        }
        guard var ended else { return }
        // The wall clock may have been set back meanwhile.
        ended.end = max(instant().nanosecondsSinceEpoch, ended.start)
        queue.add(.other(ended))
    }
}
