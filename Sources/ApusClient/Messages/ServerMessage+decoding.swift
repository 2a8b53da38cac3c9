extension ServerMessage {
    /// Decodes a text message. Throws `badMessage` if it is not a message of the contract.
    public init(_ text: String) throws(ClientError) {
        guard let members = JSONText(unchecked: text).members, let type = members["type"]?.stringValue else {
            throw ClientError(.badMessage, "the server sent what is no message: \(text.prefix(200))")
        }
        let time = (members["ts"] ?? members["timestamp"])?.stringValue ?? ""
        let requestID = members["request_id"].map { $0.stringValue ?? $0.text }
        let topic = members["topic"]?.stringValue
        let decoded: ServerMessage? =
            switch type {
            case "ack": .ack(Ack(members: members, requestID: requestID, topic: topic, time: time))
            case "event": Event(members: members, topic: topic, time: time).map(ServerMessage.event)
            case "error": ErrorReply(members: members, requestID: requestID, time: time).map(ServerMessage.error)
            case "pong": .pong(requestID: requestID, time: time)
            case "info": Info(members: members, topic: topic, time: time).map(ServerMessage.info)
            default: .unknown(type: type)
            }
        guard let decoded else {
            throw ClientError(.badMessage, "the server's \(type) lacks a member: \(text.prefix(200))")
        }
        self = decoded
    }
}

extension ServerMessage.Ack {
    fileprivate init(members: [String: JSONText], requestID: String?, topic: String?, time: String) {
        self.init(requestID: requestID, topic: topic, time: time)
        // Most acks answer plain commands: type, request_id, topic, status, ts.
        guard members.count > 5 || members["epoch"] != nil || members["count"] != nil || members["waiting"] != nil
        else { return }
        epoch = members["epoch"]?.stringValue
        offset = members["offset"]?.integerValue
        isRecovered = members["recovered"]?.booleanValue
        missed = members["missed"]?.members.flatMap(JSONText.offsets)
        count = members["count"]?.integerValue
        subscribers = members["subscribers"]?.integerValue
        stored = members["stored"]?.stringValue
        isDuplicate = members["duplicate"]?.booleanValue
        duplicates = members["duplicates"]?.integerValue
        isWaiting = members["waiting"]?.booleanValue ?? false
    }
}

extension ServerMessage.Event {
    fileprivate init?(members: [String: JSONText], topic: String?, time: String) {
        guard let topic, let message = members["message"], let inner = message.members,
            let id = inner["id"]?.stringValue, let payload = inner["payload"]
        else { return nil }
        self.init(
            topic: topic,
            message: message,
            id: id,
            payload: payload,
            time: time,
            key: members["key"]?.stringValue,
            offset: members["offset"]?.integerValue
        )
    }
}

extension ServerMessage.ErrorReply {
    fileprivate init?(members: [String: JSONText], requestID: String?, time: String) {
        guard let error = members["error"]?.members, let code = error["code"]?.stringValue else { return nil }
        self.init(requestID: requestID, code: code, message: error["message"]?.stringValue ?? code, time: time)
        retryAfterMilliseconds = error["retry_after_ms"]?.integerValue.map { max($0, 0) }
    }
}

extension ServerMessage.Info {
    fileprivate init?(members: [String: JSONText], topic: String?, time: String) {
        guard let message = members["msg"]?.stringValue else { return nil }
        self.init(
            message: message,
            topic: topic,
            dropped: members["dropped"]?.integerValue,
            time: time,
            droppedOffsets: JSONText.offsets(members),
            lag: members["lag"]?.integerValue,
            queue: members["queue"]?.integerValue,
            clientID: members["client_id"]?.stringValue,
            reconnectAfterMilliseconds: members["reconnect_after_ms"]?.integerValue,
            epoch: members["epoch"]?.stringValue,
            reason: members["reason"]?.stringValue,
            expiresInMilliseconds: members["expires_in_ms"]?.integerValue
        )
    }
}

extension JSONText {
    /// The value if it is `true` or `false`.
    fileprivate var booleanValue: Bool? { Bool(text) }

    /// The range of offsets in the members `from` and `to`.
    fileprivate static func offsets(_ members: [String: JSONText]) -> ClosedRange<Int>? {
        guard let from = members["from"]?.integerValue, let to = members["to"]?.integerValue, from <= to else {
            return nil
        }
        return from...to
    }
}
