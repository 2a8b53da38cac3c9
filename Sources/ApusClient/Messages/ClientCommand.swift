import ApusProtocol

/// A command to the server.
public enum ClientCommand: Sendable, Hashable {
    /// Subscribes to a topic. The topic's last `lastN` events come first.
    case subscribe(topic: String, clientID: String, lastN: Int = 0)
    /// Ends a subscription.
    case unsubscribe(topic: String, clientID: String)
    /// Publishes a message.
    case publish(topic: String, id: String, payload: JSONText)
    /// Asks the server for a pong.
    case ping
    /// Sends an API key, as the first message.
    case auth(apiKey: String)
    /// Sends a token, as the first message or to replace the connection's credential.
    case token(String)

    /// The text message for the command.
    public func text(requestID: String? = nil) -> String {
        switch self {
        case .subscribe(let topic, let clientID, let lastN):
            SubscribeCommand(topic: topic, clientID: clientID, lastN: lastN).text(requestID: requestID)
        case .publish(let topic, let id, let payload):
            PublishCommand(topic: topic, content: .message(.init(id: id, payload: payload.text)), wantsOutcome: false)
                .text(requestID: requestID)
        case .unsubscribe(let topic, let clientID):
            Self.text("unsubscribe", requestID) { writer in
                writer.member("topic", topic)
                writer.member("client_id", clientID)
            }
        case .ping:
            Self.text("ping", requestID) { _ in }
        case .auth(let apiKey):
            Self.text("auth", requestID) { $0.member("api_key", apiKey) }
        case .token(let token):
            Self.text("auth", requestID) { $0.member("token", token) }
        }
    }

    private static func text(_ type: String, _ requestID: String?, _ write: (inout JSONWriter) -> Void) -> String {
        JSONWriter.object { writer in
            writer.member("type", type)
            write(&writer)
            if let requestID { writer.member("request_id", requestID) }
        }
    }
}
