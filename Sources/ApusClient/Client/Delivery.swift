extension ApusClient {
    /// An element of a subscription: a published message, or a notice about the subscription. They come in order.
    public enum Delivery: Sendable, Hashable {
        /// A published message.
        case event(Event)
        /// A notice about the subscription.
        case notice(Notice)

        /// The event, or `nil` if this is a notice.
        public var event: Event? {
            guard case .event(let event) = self else { return nil }
            return event
        }

        /// The notice, or `nil` if this is an event.
        public var notice: Notice? {
            guard case .notice(let notice) = self else { return nil }
            return notice
        }
    }

    /// A message published to a topic.
    public struct Event: Sendable, Hashable {
        /// The topic of the message. For a pattern, the topic that matches.
        public let topic: String
        /// The message id, as set by the publisher.
        public let id: String
        /// The payload, byte for byte as published.
        public let payload: JSONText
        /// The whole message (`id`, `payload` and any other members), byte for byte as published.
        public let message: JSONText
        /// The key that the message was published with.
        public let key: String?
        /// The message's position in the topic; `nil` under a pattern, or if the server does not support positions.
        public let position: Position?
        /// When the message was published, as RFC 3339 text.
        public let time: String
    }

    /// A notice about a subscription.
    public struct Notice: Sendable, Hashable {
        /// What the notice reports.
        public enum Kind: Sendable, Hashable {
            /// The server skipped `count` messages because the subscription was further behind than its queue allows.
            /// `offsets` says which messages, if the subscription has positions.
            case dropped(count: Int, offsets: ClosedRange<Int>?)
            /// Messages that were published while there was no connection may be lost.
            case gap(Gap)
            /// The topic was deleted. Its subscription has ended, unless ``SubscribeOptions/waitsForTopic`` is set.
            case topicDeleted
            /// The topic does not exist, and the subscription waits for it. Reported once until the topic exists. After
            /// a reconnect, this means that the topic was deleted, or that the server restarted and nobody has created
            /// the topic yet.
            case waiting
            /// The topic that the subscription waited for exists now.
            case topicCreated
            /// The server is about to disconnect this subscription because of ``OverflowPolicy/disconnect``.
            case slowConsumerWarning(lag: Int, queue: Int)
            /// Another subscriber joined.
            case joined(clientID: String)
            /// Another subscriber left.
            case left(clientID: String)
        }

        /// The topic of the notice. For ``Gap/unknown`` under a pattern, the pattern.
        public let topic: String
        /// What happened.
        public let kind: Kind
        /// When the server reported it, as RFC 3339 text. For a notice from the client itself, the time of the server's
        /// ack.
        public let time: String
    }

    /// What is known about messages that could not be recovered.
    public enum Gap: Sendable, Hashable {
        /// Exactly the messages with these offsets are missing: the topic's history does not reach back that far.
        case missed(ClosedRange<Int>)
        /// The topic restarted with a new epoch. The messages that its history still holds follow.
        case newEpoch
        /// Nothing is known: subscriptions to a pattern or without positions cannot be recovered.
        case unknown
    }
}
