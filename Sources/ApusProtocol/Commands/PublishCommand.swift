/// A `publish` as a client writes it, with one message or a batch.
package struct PublishCommand: Hashable, Sendable {
    package struct Message: Hashable, Sendable {
        package let id: String
        /// JSON.
        package let payload: String

        package init(id: String, payload: String) {
            self.id = id
            self.payload = payload
        }
    }

    package enum Content: Hashable, Sendable {
        case message(Message)
        case batch([Message])
    }

    package var topic: String
    package var content: Content
    package var key: String?
    package var timeToLive: Duration?
    package var wantsOutcome: Bool

    package init(topic: String, content: Content, wantsOutcome: Bool = true) {
        self.topic = topic
        self.content = content
        self.wantsOutcome = wantsOutcome
    }

    package func text(requestID: String?) -> String {
        JSONWriter.object { writer in
            writer.member("type", "publish")
            writer.member("topic", topic)
            if let requestID { writer.member("request_id", requestID) }
            switch content {
            case .message(let message): writer.object("message") { message.write(to: &$0) }
            case .batch(let messages): writer.array("messages", of: messages) { $1.write(to: &$0) }
            }
            if let key { writer.member("key", key) }
            if let timeToLive { writer.member("ttl", timeToLive.commandText) }
            if wantsOutcome { writer.member("outcome", true) }
        }
    }
}

extension PublishCommand.Message {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.member("id", id)
        writer.member("payload", json: payload)
    }
}
