/// A message of the server, of either dialect.
///
/// Times are RFC 3339 text as received (`ts` or `timestamp`). A `request_id` that was a number is given as its digits.
public enum ServerMessage: Sendable, Hashable {
    /// A command was carried out.
    case ack(Ack)
    /// A message was published.
    case event(Event)
    /// A command was not carried out, or the connection is about to be closed.
    case error(ErrorReply)
    /// The answer to a ping.
    case pong(requestID: String?, time: String)
    /// News that nobody asked for.
    case info(Info)
    /// A type that this client does not know; a newer server may send it.
    case unknown(type: String)

    /// A command was carried out. What was not asked for is nil.
    public struct Ack: Sendable, Hashable {
        /// The id of the command, where it had one.
        public let requestID: String?
        /// The topic of the command, where it had one.
        public let topic: String?
        /// When it was carried out.
        public let time: String
        /// Of a publish with outcome: where its (first) message is. Of a subscription with positions: the last offset
        /// before the first event to come.
        public var epoch: String?
        /// The offset in that epoch.
        public var offset: Int?
        /// Whether everything after the `since` of the command follows.
        public var isRecovered: Bool?
        /// The offsets after `since` that are gone.
        public var missed: ClosedRange<Int>?
        /// Whether the topic is not there, and the subscription waits for it.
        public var isWaiting = false
        /// How many messages a batch had.
        public var count: Int?
        /// How many subscriptions the message was for.
        public var subscribers: Int?
        /// `memory`, `disk` or `replicated`.
        public var stored: String?
        /// Whether the message had been published before.
        public var isDuplicate: Bool?
        /// How many messages of a batch had been published before.
        public var duplicates: Int?
    }

    /// A message published to a topic.
    public struct Event: Sendable, Hashable {
        /// The topic it was published to.
        public let topic: String
        /// The whole of `message`, byte for byte as published.
        public let message: JSONText
        /// The publisher's id of the message.
        public let id: String
        /// The payload, byte for byte as published.
        public let payload: JSONText
        /// When it was published.
        public let time: String
        /// The key it was published with, where the subscription has one of the extensions.
        public var key: String?
        /// Its place in the topic's epoch, where the subscription has positions.
        public var offset: Int?
    }

    /// What the server says of a command it did not carry out.
    public struct ErrorReply: Sendable, Hashable {
        /// The id of the command, where the error answers one.
        public let requestID: String?
        /// The stable machine code, such as `TOPIC_NOT_FOUND`.
        public let code: String
        /// What is wrong, for people.
        public let message: String
        /// When it was refused.
        public let time: String
    }

    /// News that nobody asked for: a heartbeat, a gap, the end of a topic.
    public struct Info: Sendable, Hashable {
        /// `ping`, `topic_deleted`, `topic_created`, `not_recovered`, `messages_dropped`, `slow_consumer_warning`,
        /// `joined`, `left` or `shutdown`.
        public let message: String
        /// The topic it is about, where it is about one.
        public let topic: String?
        /// How many messages were skipped, for `messages_dropped`.
        public let dropped: Int?
        /// When it happened.
        public let time: String
        /// Which ones, where the subscription has positions.
        public var droppedOffsets: ClosedRange<Int>?
        /// How many messages wait for this subscriber, for `slow_consumer_warning`.
        public var lag: Int?
        /// How many may, for `slow_consumer_warning`.
        public var queue: Int?
        /// Who came or went, for `joined` and `left`.
        public var clientID: String?
        /// When to come back, for `shutdown`.
        public var reconnectAfterMilliseconds: Int?
        /// The topic's epoch, for `topic_created`.
        public var epoch: String?
    }

    /// The request that this answers.
    public var requestID: String? {
        switch self {
        case .ack(let ack): ack.requestID
        case .pong(let requestID, _): requestID
        case .error(let error): error.requestID
        case .event, .info, .unknown: nil
        }
    }
}
