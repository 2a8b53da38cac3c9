/// A message of the server, of either dialect.
///
/// Times are RFC 3339 text as received (`ts` or `timestamp`). A `request_id` that was a number is given as its digits.
public enum ServerMessage: Sendable, Hashable {
    case ack(requestID: String?, topic: String?, time: String)
    case event(Event)
    case error(ErrorReply)
    case pong(requestID: String?, time: String)
    case info(Info)
    /// A type that this client does not know; a newer server may send it.
    case unknown(type: String)

    /// A message published to a topic.
    public struct Event: Sendable, Hashable {
        public let topic: String
        /// The whole of `message`, byte for byte as published.
        public let message: JSONText
        public let id: String
        /// The payload, byte for byte as published.
        public let payload: JSONText
        /// When it was published.
        public let time: String
    }

    /// What the server says of a command it did not carry out.
    public struct ErrorReply: Sendable, Hashable {
        public let requestID: String?
        /// The stable machine code, such as `TOPIC_NOT_FOUND`.
        public let code: String
        public let message: String
        public let time: String
    }

    /// News that nobody asked for: a heartbeat, a gap, the end of a topic.
    public struct Info: Sendable, Hashable {
        /// `ping`, `topic_deleted` or `messages_dropped`.
        public let message: String
        public let topic: String?
        /// How many messages were skipped, for `messages_dropped`.
        public let dropped: Int?
        public let time: String
    }

    /// Decodes a text message; throws `badMessage` when it is none of the contract's.
    public init(_ text: String) throws(ClientError) {
        guard let members = JSONText(unchecked: text).members, let type = members["type"]?.stringValue else {
            throw ClientError(.badMessage, "the server sent what is no message: \(text.prefix(200))")
        }
        let time = (members["ts"] ?? members["timestamp"])?.stringValue ?? ""
        let requestID = members["request_id"].map { $0.stringValue ?? $0.text }
        let topic = members["topic"]?.stringValue
        let decoded: ServerMessage? =
            switch type {
            case "ack": .ack(requestID: requestID, topic: topic, time: time)
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

    /// The request that this answers.
    public var requestID: String? {
        switch self {
        case .ack(let requestID, _, _), .pong(let requestID, _): requestID
        case .error(let error): error.requestID
        case .event, .info, .unknown: nil
        }
    }
}

extension ServerMessage.Event {
    fileprivate init?(members: [String: JSONText], topic: String?, time: String) {
        guard let topic, let message = members["message"], let inner = message.members,
            let id = inner["id"]?.stringValue, let payload = inner["payload"]
        else { return nil }
        self.init(topic: topic, message: message, id: id, payload: payload, time: time)
    }
}

extension ServerMessage.ErrorReply {
    fileprivate init?(members: [String: JSONText], requestID: String?, time: String) {
        guard let error = members["error"]?.members, let code = error["code"]?.stringValue else { return nil }
        self.init(requestID: requestID, code: code, message: error["message"]?.stringValue ?? code, time: time)
    }
}

extension ServerMessage.Info {
    fileprivate init?(members: [String: JSONText], topic: String?, time: String) {
        guard let message = members["msg"]?.stringValue else { return nil }
        self.init(message: message, topic: topic, dropped: members["dropped"]?.integerValue, time: time)
    }
}
