/// A `subscribe` command with the fields of the extensions.
struct SubscribeCommand: Hashable {
    enum Since: Hashable {
        case position(ApusClient.Position)
        /// A duration such as `10m`, an RFC 3339 time, or `all`.
        case text(String)
    }

    var topic: String
    var clientID: String
    var lastN = 0
    var since: Since?
    var hasPositions = false
    var overflow: ApusClient.OverflowPolicy?
    var queue: Int?
    var hasPresence = false
    var waits = false

    func text(requestID: String) -> String {
        var text = "{\"type\":\"subscribe\",\"topic\":\(JSONText.string(topic))"
        text += ",\"client_id\":\(JSONText.string(clientID)),\"request_id\":\(JSONText.string(requestID))"
        if lastN != 0 { text += ",\"last_n\":\(lastN)" }
        switch since {
        case .position(let position):
            text += ",\"since\":{\"epoch\":\(JSONText.string(position.epoch)),\"offset\":\(position.offset)}"
        case .text(let since):
            text += ",\"since\":\(JSONText.string(since))"
        case nil:
            break
        }
        if hasPositions { text += ",\"positions\":true" }
        if let overflow { text += ",\"overflow\":\"\(overflow.rawValue)\"" }
        if let queue { text += ",\"queue\":\(queue)" }
        if hasPresence { text += ",\"presence\":true" }
        if waits { text += ",\"wait\":true" }
        return text + "}"
    }
}

/// A `publish` command with one message or a batch, and the fields of the extensions.
struct PublishCommand: Hashable {
    enum Content: Hashable {
        case message(ApusClient.Message)
        case batch([ApusClient.Message])
    }

    var topic: String
    var content: Content
    var key: String?
    var timeToLive: Duration?
    var wantsOutcome = true

    func text(requestID: String) -> String {
        var text = "{\"type\":\"publish\",\"topic\":\(JSONText.string(topic)),\"request_id\":\"\(requestID)\""
        switch content {
        case .message(let message):
            text += ",\"message\":"
            message.write(to: &text)
        case .batch(let messages):
            text += ",\"messages\":["
            for (index, message) in messages.enumerated() {
                if index > 0 { text += "," }
                message.write(to: &text)
            }
            text += "]"
        }
        if let key { text += ",\"key\":\(JSONText.string(key))" }
        if let timeToLive { text += ",\"ttl\":\"\(timeToLive.wireText)\"" }
        if wantsOutcome { text += ",\"outcome\":true" }
        return text + "}"
    }
}

extension ApusClient.Message {
    fileprivate func write(to text: inout String) {
        text += "{\"id\":\(JSONText.string(id)),\"payload\":\(payload.text)}"
    }
}

extension Duration {
    /// The duration as the server parses it: whole milliseconds, at least one.
    var wireText: String {
        "\(max(1, Int64((self / .milliseconds(1)).rounded(.up))))ms"
    }
}
