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

    /// The text message for the command.
    public func text(requestID: String? = nil) -> String {
        var text = "{\"type\":"
        switch self {
        case .subscribe(let topic, let clientID, let lastN):
            text += "\"subscribe\",\"topic\":\(JSONText.string(topic)),\"client_id\":\(JSONText.string(clientID))"
            if lastN != 0 { text += ",\"last_n\":\(lastN)" }
        case .unsubscribe(let topic, let clientID):
            text += "\"unsubscribe\",\"topic\":\(JSONText.string(topic)),\"client_id\":\(JSONText.string(clientID))"
        case .publish(let topic, let id, let payload):
            text += "\"publish\",\"topic\":\(JSONText.string(topic)),\"message\":{\"id\":\(JSONText.string(id))"
            text += ",\"payload\":\(payload.text)}"
        case .ping:
            text += "\"ping\""
        case .auth(let apiKey):
            text += "\"auth\",\"api_key\":\(JSONText.string(apiKey))"
        }
        if let requestID { text += ",\"request_id\":\(JSONText.string(requestID))" }
        return text + "}"
    }
}
