import ApusProtocol
import Tracing

extension Routes {
    /// Publishes all messages or none, and makes the span of that if their trace is recorded.
    ///
    /// - Parameter trace: what the request says. If the request has a span, the trace goes on there.
    func publish(
        _ messages: [HTTPPublisher.Message],
        to name: String,
        _ context: ApusRequestContext,
        after trace: TraceContext?
    ) async throws -> HTTPPublisher.Published {
        let parent = contexts.spans == nil ? trace : ServiceContext.current?.trace ?? trace
        guard let parent else {
            return try await contexts.publish(messages, to: name, for: context.inFlight, context.access)
        }
        let spans = parent.isSampled ? contexts.spans : nil
        let span = spans?.beginPublish(messages: messages.count, id: messages[0].id, after: parent)
        func end(_ outcome: PublishSpan.Outcome) {
            if let span { spans?.end(span, of: jsonBytes(name), outcome) }
        }
        let traced = messages.map { message in
            var message = message
            message.trace = span?.trace ?? parent
            return message
        }
        do {
            let published = try await contexts.publish(traced, to: name, for: context.inFlight, context.access)
            end(.published(published.receipt))
            return published
        } catch {
            end(.failed((error as? Problem)?.code.rawValue ?? "\(type(of: error))"))
            throw error
        }
    }
}
