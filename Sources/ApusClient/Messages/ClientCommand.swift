/// A command to the server.
public enum ClientCommand: Sendable, Hashable {
    /// Wants a topic's events, and its last ones first.
    case subscribe(topic: String, clientID: String, lastN: Int = 0)
    /// Wants them no more.
    case unsubscribe(topic: String, clientID: String)
    /// Publishes a message.
    case publish(topic: String, id: String, payload: JSONText)
    /// Asks whether the server is there.
    case ping
    /// Shows a key, as the first message.
    case auth(apiKey: String)

    /// The text message that carries the command.
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
