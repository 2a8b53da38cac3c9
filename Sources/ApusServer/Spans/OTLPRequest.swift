import ApusProtocol
import NIOCore
import Tracing

/// An `ExportTraceServiceRequest` of OTLP in its JSON encoding: ids are hexadecimal, and 64-bit numbers are text.
struct OTLPRequest {
    var json = ByteBuffer()

    /// - Parameter service: who made the spans, and what tells it apart from others of that name.
    init(_ spans: [EndedSpan], service: (name: String, version: String, instance: String)) {
        json.writeStaticString(#"{"resourceSpans":[{"resource":{"attributes":["#)
        write("service.name", .string(service.name))
        json.writeStaticString(",")
        write("service.version", .string(service.version))
        json.writeStaticString(",")
        write("service.instance.id", .string(service.instance))
        json.writeStaticString(#"]},"scopeSpans":[{"scope":{"name":"apus","version":"#)
        appendJSONString(service.version, to: &json)
        json.writeStaticString(#"},"spans":["#)
        for (index, span) in spans.enumerated() {
            if index > 0 { json.writeStaticString(",") }
            switch span {
            case .publish(let span): write(span)
            case .delivery(let span): write(span)
            case .other(let span): write(span)
            }
        }
        json.writeStaticString("]}]}]}")
    }

    private mutating func write(_ span: SpanRecord) {
        json.writeString(#"{"traceId":"\#(span.context.traceText)","spanId":"\#(span.context.spanText)""#)
        if let parent = span.parent { json.writeString(#","parentSpanId":"\#(TraceContext.spanText(parent))""#) }
        json.writeString(#","flags":\#(span.context.flags)"#)
        write(span.context.state)
        json.writeStaticString(#","name":"#)
        appendJSONString(span.name, to: &json)
        json.writeString(#","kind":\#(Self.number(of: span.kind)),"startTimeUnixNano":"\#(span.start)""#)
        json.writeString(#","endTimeUnixNano":"\#(span.end)","attributes":"#)
        let dropped = write(span.attributes)
        if dropped > 0 { json.writeString(#","droppedAttributesCount":\#(dropped)"#) }
        if !span.events.isEmpty { write(span.events) }
        if span.leftOut.events > 0 { json.writeString(#","droppedEventsCount":\#(span.leftOut.events)"#) }
        if !span.links.isEmpty { write(span.links) }
        if span.leftOut.links > 0 { json.writeString(#","droppedLinksCount":\#(span.leftOut.links)"#) }
        if let status = span.status {
            json.writeString(#","status":{"code":\#(status.code == .ok ? 1 : 2)"#)
            if let message = status.message {
                json.writeStaticString(#","message":"#)
                appendJSONString(message, to: &json)
            }
            json.writeStaticString("}")
        }
        json.writeStaticString("}")
    }

    private mutating func write(_ state: TraceState?) {
        guard let state else { return }
        json.writeStaticString(#","traceState":"#)
        json.writeBytes(state.json)
    }

    private static func number(of kind: SpanKind) -> Int {
        switch kind {
        case .internal: 1
        case .server: 2
        case .client: 3
        case .producer: 4
        case .consumer: 5
        }
    }

    private mutating func write(_ events: [SpanEvent]) {
        json.writeStaticString(#","events":["#)
        for (index, event) in events.enumerated() {
            if index > 0 { json.writeStaticString(",") }
            json.writeString(#"{"timeUnixNano":"\#(event.nanosecondsSinceEpoch)","name":"#)
            appendJSONString(event.name, to: &json)
            json.writeStaticString(#","attributes":"#)
            _ = write(event.attributes)
            json.writeStaticString("}")
        }
        json.writeStaticString("]")
    }

    private mutating func write(_ links: [TraceContext]) {
        json.writeStaticString(#","links":["#)
        for (index, link) in links.enumerated() {
            if index > 0 { json.writeStaticString(",") }
            json.writeString(#"{"traceId":"\#(link.traceText)","spanId":"\#(link.spanText)","flags":\#(link.flags)"#)
            write(link.state)
            json.writeStaticString("}")
        }
        json.writeStaticString("]")
    }

    // MARK: Attributes

    /// Writes a list of attributes, sorted by name.
    ///
    /// - Returns: how many were left out.
    private mutating func write(_ attributes: SpanAttributes) -> Int {
        var all: [(name: String, value: SpanAttribute)] = []
        attributes.forEach { all.append(($0, $1)) }
        all.sort { $0.name < $1.name }
        json.writeStaticString("[")
        for (index, attribute) in all.prefix(SpanRecord.maxAttributes).enumerated() {
            if index > 0 { json.writeStaticString(",") }
            write(attribute.name, attribute.value)
        }
        json.writeStaticString("]")
        return max(all.count - SpanRecord.maxAttributes, 0)
    }

    private mutating func write(_ name: String, _ value: SpanAttribute) {
        json.writeStaticString(#"{"key":"#)
        appendJSONString(name, to: &json)
        json.writeStaticString(#","value":"#)
        write(value)
        json.writeStaticString("}")
    }

    private mutating func write(_ value: SpanAttribute) {
        switch value {
        case .bool(let value): json.writeString(#"{"boolValue":\#(value)}"#)
        case .int32(let value): json.writeString(#"{"intValue":"\#(value)"}"#)
        case .int64(let value): json.writeString(#"{"intValue":"\#(value)"}"#)
        // JSON has no other numbers than finite ones.
        case .double(let value) where value.isFinite: json.writeString(#"{"doubleValue":\#(value)}"#)
        case .double(let value): write(text: "\(value)")
        case .string(let value): write(text: value)
        case .stringConvertible(let value): write(text: "\(value)")
        case .boolArray(let values): write(values.map { .bool($0) })
        case .int32Array(let values): write(values.map { .int32($0) })
        case .int64Array(let values): write(values.map { .int64($0) })
        case .doubleArray(let values): write(values.map { .double($0) })
        case .stringArray(let values): write(values.map { .string($0) })
        case .stringConvertibleArray(let values): write(values.map { .string("\($0)") })
        default: write(text: "")
        }
    }

    private mutating func write(_ values: [SpanAttribute]) {
        json.writeStaticString(#"{"arrayValue":{"values":["#)
        for (index, value) in values.enumerated() {
            if index > 0 { json.writeStaticString(",") }
            write(value)
        }
        json.writeStaticString("]}}")
    }

    private mutating func write(text: String) {
        json.writeStaticString(#"{"stringValue":"#)
        appendJSONString(text, to: &json)
        json.writeStaticString("}")
    }
}
