/// A message from the server, in either dialect.
///
/// Times are RFC 3339 text as received (`ts` or `timestamp`). A numeric `request_id` is given as its digits.
public enum ServerMessage: Sendable, Hashable {
    /// The server has executed a command.
    case ack(Ack)
    /// A message was published.
    case event(Event)
    /// The server has refused a command, or is about to close the connection.
    case error(ErrorReply)
    /// The answer to a ping.
    case pong(requestID: String?, time: String)
    /// A push message about the connection, a subscription or a topic.
    case info(Info)
    /// A type that this client does not know. A newer server may send it.
    case unknown(type: String)

    /// The answer to an executed command. Fields that were not requested are `nil`.
    public struct Ack: Sendable, Hashable {
        /// The id of the command, if it had one.
        public let requestID: String?
        /// The topic of the command, if it had one.
        public let topic: String?
        /// When the command was executed.
        public let time: String
        /// The topic's epoch. For a publish with outcome, the epoch of its (first) message. For a subscription with
        /// positions, the epoch of ``offset``, which is then the last offset before the first event to come.
        public var epoch: String?
        /// The offset in that epoch.
        public var offset: Int?
        /// Whether everything after the command's `since` follows.
        public var isRecovered: Bool?
        /// The offsets after `since` that are lost.
        public var missed: ClosedRange<Int>?
        /// Whether the topic does not exist and the subscription waits for it.
        public var isWaiting = false
        /// How many messages the batch had.
        public var count: Int?
        /// How many subscriptions the message was for.
        public var subscribers: Int?
        /// `memory`, `disk` or `replicated`.
        public var stored: String?
        /// Whether the message had been published before.
        public var isDuplicate: Bool?
        /// How many messages of the batch had been published before.
        public var duplicates: Int?
    }

    /// A message published to a topic.
    public struct Event: Sendable, Hashable {
        /// The topic of the message.
        public let topic: String
        /// The whole `message`, byte for byte as published.
        public let message: JSONText
        /// The message id, as set by the publisher.
        public let id: String
        /// The payload, byte for byte as published.
        public let payload: JSONText
        /// When the message was published.
        public let time: String
        /// The key that the message was published with, if the subscription uses an extension.
        public var key: String?
        /// The offset in the topic's epoch, if the subscription has positions.
        public var offset: Int?
    }

    /// The answer to a refused command.
    public struct ErrorReply: Sendable, Hashable {
        /// The id of the command, if the error answers one.
        public let requestID: String?
        /// The stable machine-readable code, such as `TOPIC_NOT_FOUND`.
        public let code: String
        /// What is wrong, for users.
        public let message: String
        /// When the command was refused.
        public let time: String
        /// How long to wait before another try, if the server says so.
        public var retryAfterMilliseconds: Int?
    }

    /// A push message: a heartbeat, a gap, the end of a topic, and so on.
    public struct Info: Sendable, Hashable {
        /// `ping`, `topic_deleted`, `topic_created`, `not_recovered`, `messages_dropped`, `slow_consumer_warning`,
        /// `joined`, `left`, `unsubscribed`, `token_expiring` or `shutdown`.
        public let message: String
        /// The topic that the message concerns, if there is one.
        public let topic: String?
        /// How many messages were skipped, for `messages_dropped`.
        public let dropped: Int?
        /// When it happened.
        public let time: String
        /// Which messages were skipped, if the subscription has positions.
        public var droppedOffsets: ClosedRange<Int>?
        /// How many messages wait for this subscriber, for `slow_consumer_warning`.
        public var lag: Int?
        /// How many messages may wait, for `slow_consumer_warning`.
        public var queue: Int?
        /// The subscriber that joined or left, for `joined` and `left`.
        public var clientID: String?
        /// How long to wait before reconnecting, for `shutdown`.
        public var reconnectAfterMilliseconds: Int?
        /// The topic's epoch, for `topic_created`.
        public var epoch: String?
        /// Why the subscription ended, for `unsubscribed`: a code such as `FORBIDDEN`.
        public var reason: String?
        /// How long the connection's token is still valid, for `token_expiring`.
        public var expiresInMilliseconds: Int?
    }

    /// The id of the request that this message answers.
    public var requestID: String? {
        switch self {
        case .ack(let ack): ack.requestID
        case .pong(let requestID, _): requestID
        case .error(let error): error.requestID
        case .event, .info, .unknown: nil
        }
    }
}
