import ApusBroker
import ApusProtocol

// The spans of publishes whose traces are recorded.

extension PubSubSession {
    /// Begins the span of a publish, or goes on with the one of a publish that had to wait and comes again.
    ///
    /// - Returns: `nil` if the trace is not recorded, or the server makes no spans.
    func beginSpan(
        of messages: [PublishExtensions.Message],
        after trace: TraceContext,
        in message: UnsafeRawBufferPointer
    ) -> PublishSpan? {
        guard let spans = context.spans, trace.isSampled else { return nil }
        if let span = spans.takeWaiting(of: connection.id) { return span }
        return spans.source.beginPublish(
            messages: messages.count,
            id: messages.count == 1 ? text(messages[0].id, in: message) : "",
            connection: connection.id,
            after: trace
        )
    }

    /// Keeps the span of a publish, if there is one, until that comes again.
    func keep(_ span: PublishSpan?, to topicJSON: @autoclosure () -> [UInt8]) {
        if let span { context.spans?.keep(span, to: topicJSON(), of: connection.id) }
    }

    /// - Parameter commit: what has to be kept before the messages are published, if anything.
    func end(_ span: PublishSpan, of topic: Topic, _ receipt: PublishReceipt, after commit: Commit?) {
        guard let source = context.spans?.source else { return }
        let topicJSON = topic.template.topicJSON
        guard commit != nil else { return source.end(span, of: topicJSON, .published(receipt)) }
        context.hub.wait(SpanOfCommit(source, span, of: topicJSON, receipt), for: commit)
    }

    /// Ends the span of a publish that came to nothing, if there is one.
    func fail(_ span: PublishSpan?, of name: JSONStringSpan, in message: UnsafeRawBufferPointer, _ code: ErrorCode) {
        guard let span else { return }
        let topicJSON = jsonBytes(text(name, in: message))
        context.spans?.source.end(span, of: topicJSON, .failed(code.rawValue))
    }

    /// Ends the span of a publish that still waited when its connection ended.
    func endSpan() {
        guard let spans = context.spans, let span = spans.takeWaiting(of: connection.id) else { return }
        spans.source.end(span, of: span.topicJSON, .failed("connection_closed"))
    }
}
