import ApusBroker
import ApusProtocol
import NIOCore

// The spans of publishes and deliveries. These come as often as traced messages do, so what is the same in all of them
// is one piece of text, and the rest is written without a check for each piece.

extension OTLPRequest {
    /// The most bytes of the pieces without topics, ids of messages and reasons. The longest have some 900.
    private static let pieces = 2048
    private static let link = 160

    private static let publishes: StaticString = """
        "attributes":[{"key":"messaging.system","value":{"stringValue":"apus"}},\
        {"key":"messaging.operation.name","value":{"stringValue":"publish"}},\
        {"key":"messaging.operation.type","value":{"stringValue":"send"}},\
        {"key":"messaging.destination.name","value":{"stringValue":
        """
    private static let delivers: StaticString = """
        "attributes":[{"key":"messaging.system","value":{"stringValue":"apus"}},\
        {"key":"messaging.operation.name","value":{"stringValue":"deliver"}},\
        {"key":"messaging.operation.type","value":{"stringValue":"send"}},\
        {"key":"messaging.destination.name","value":{"stringValue":
        """

    mutating func write(_ span: PublishSpan) {
        let size = Self.pieces + 2 * span.topicJSON.count + (span.trace.state?.sizeBound ?? 0)
        json.writeSpanText(upTo: size) { text in
            Self.put(span.trace, parent: span.parent, from: span.start, to: span.end, to: &text)
            Self.put(Self.publishes, name: #","name":"publish "#, span.topicJSON, to: &text)
            if span.messages != 1 {
                Self.put(UInt64(span.messages), #",{"key":"messaging.batch.message_count"#, to: &text)
            }
            if let connection = span.connection { Self.put(connection, #",{"key":"apus.connection.id"#, to: &text) }
            if case .published(let receipt) = span.outcome { Self.put(receipt, to: &text) }
        }
        if span.messages == 1 {
            json.writeStaticString(#",{"key":"messaging.message.id","value":{"stringValue":"#)
            appendJSONString(span.messageID, to: &json)
            json.writeStaticString("}}")
        }
        guard case .failed(let code, let message) = span.outcome else {
            json.writeStaticString("]}")
            return
        }
        json.writeStaticString(#",{"key":"error.type","value":{"stringValue":"#)
        appendJSONString(code, to: &json)
        json.writeStaticString(#"}}],"status":{"code":2"#)
        if let message {
            json.writeStaticString(#","message":"#)
            appendJSONString(message, to: &json)
        }
        json.writeStaticString("}}")
    }

    private static func put(_ receipt: PublishReceipt, to text: inout SpanText) {
        put(receipt.offset, #",{"key":"apus.offset"#, to: &text)
        put(UInt64(receipt.subscribers), #",{"key":"apus.subscribers"#, to: &text)
        if receipt.duplicates > 0 { put(UInt64(receipt.duplicates), #",{"key":"apus.duplicates"#, to: &text) }
        text.put(#",{"key":"apus.stored","value":{"stringValue":""#)
        var stored = receipt.stored.rawValue
        stored.withUTF8 { text.put(UnsafeRawBufferPointer($0)) }
        text.put(#""}}"#)
    }

    mutating func write(_ span: DeliverySpan) {
        let states = span.links.reduce(span.trace.state?.sizeBound ?? 0) { $0 + ($1.state?.sizeBound ?? 0) }
        let links = Self.link * span.links.count + states
        let size = Self.pieces + 2 * span.topicJSON.count + span.loop.utf8.count + links
        json.writeSpanText(upTo: size) { text in
            Self.put(span.trace, parent: span.links.first?.spanID, from: span.start, to: span.end, to: &text)
            Self.put(Self.delivers, name: #","name":"deliver "#, span.topicJSON, to: &text)
            Self.put(span.messages, #",{"key":"messaging.batch.message_count"#, to: &text)
            Self.put(UInt64(span.subscriptions), #",{"key":"apus.subscriptions"#, to: &text)
            Self.put(span.deliveries, #",{"key":"apus.deliveries"#, to: &text)
            // The name of a loop is a word and a number.
            text.put(#",{"key":"apus.loop","value":{"stringValue":""#)
            var loop = span.loop
            loop.withUTF8 { text.put(UnsafeRawBufferPointer($0)) }
            text.put(#""}}],"links":["#)
            for (index, link) in span.links.enumerated() {
                text.put(index == 0 ? #"{"traceId":""# : #",{"traceId":""#)
                text.put(traceOf: link)
                text.put(#"","spanId":""#)
                text.put(span: link.spanID)
                text.put(#"","flags":"#)
                text.put(UInt64(link.flags))
                Self.put(link.state, to: &text)
                text.put("}")
            }
            text.put("]}")
        }
    }

    /// Ids and times, and that it is a producer.
    private static func put(
        _ trace: TraceContext,
        parent: UInt64?,
        from start: UInt64,
        to end: UInt64,
        to text: inout SpanText
    ) {
        text.put(#"{"traceId":""#)
        text.put(traceOf: trace)
        text.put(#"","spanId":""#)
        text.put(span: trace.spanID)
        if let parent {
            text.put(#"","parentSpanId":""#)
            text.put(span: parent)
        }
        text.put(#"","flags":"#)
        text.put(UInt64(trace.flags))
        put(trace.state, to: &text)
        text.put(#","kind":4,"startTimeUnixNano":""#)
        text.put(start)
        text.put(#"","endTimeUnixNano":""#)
        text.put(end)
        text.put("\"")
    }

    private static func put(_ state: TraceState?, to text: inout SpanText) {
        guard let state else { return }
        text.put(#","traceState":"#)
        state.json.withUnsafeBytes { text.put($0) }
    }

    /// The name, and the attributes up to the topic.
    private static func put(
        _ attributes: StaticString,
        name: StaticString,
        _ topicJSON: [UInt8],
        to text: inout SpanText
    ) {
        topicJSON.withUnsafeBytes { topic in
            text.put(name)
            text.put(UnsafeRawBufferPointer(rebasing: topic.dropFirst()))
            text.put(",")
            text.put(attributes)
            text.put(topic)
            text.put("}}")
        }
    }

    private static func put(_ number: UInt64, _ key: StaticString, to text: inout SpanText) {
        text.put(key)
        text.put(#"","value":{"intValue":""#)
        text.put(number)
        text.put(#""}}"#)
    }
}
