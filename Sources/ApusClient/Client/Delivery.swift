extension ApusClient {
    /// What a subscription yields: a published message, or news about the subscription, in their order.
    public enum Delivery: Sendable, Hashable {
        /// A published message.
        case event(Event)
        /// News about the subscription.
        case notice(Notice)

        /// The event, if it is one.
        public var event: Event? {
            guard case .event(let event) = self else { return nil }
            return event
        }

        /// The notice, if it is one.
        public var notice: Notice? {
            guard case .notice(let notice) = self else { return nil }
            return notice
        }
    }

    /// A message published to a topic.
    public struct Event: Sendable, Hashable {
        /// The topic it was published to; under a pattern, one that matches.
        public let topic: String
        /// The publisher's id of the message.
        public let id: String
        /// The payload, byte for byte as published.
        public let payload: JSONText
        /// The whole message (`id`, `payload` and what else it has), byte for byte as published.
        public let message: JSONText
        /// The key it was published with.
        public let key: String?
        /// Its place in the topic; nil under a pattern, and of a server without positions.
        public let position: Position?
        /// When it was published, as RFC 3339 text.
        public let time: String
    }

    /// News about a subscription.
    public struct Notice: Sendable, Hashable {
        /// What a notice tells.
        public enum Kind: Sendable, Hashable {
            /// The server skipped this many messages because the subscription was behind by more than its queue; with
            /// positions, which ones.
            case dropped(count: Int, offsets: ClosedRange<Int>?)
            /// Messages published while there was no connection may be gone for good.
            case gap(Gap)
            /// The topic was deleted. The subscription to it has ended, unless it
            /// ``SubscribeOptions/waitsForTopic``.
            case topicDeleted
            /// The topic is not there, and is waited for; told once, until it is there. After a reconnect it may have
            /// been deleted, or the server may have been started again and has nobody made it yet.
            case waiting
            /// The topic that was waited for is there.
            case topicCreated
            /// The server is about to disconnect this subscription under ``OverflowPolicy/disconnect``.
            case slowConsumerWarning(lag: Int, queue: Int)
            /// Another subscriber came.
            case joined(clientID: String)
            /// Another subscriber went.
            case left(clientID: String)
        }

        /// The topic it is about; of a pattern's ``Gap/unknown``, the pattern.
        public let topic: String
        /// What happened.
        public let kind: Kind
        /// When the server said so, as RFC 3339 text; of what the client found out itself, when it was acked.
        public let time: String
    }

    /// What is known of messages that could not be recovered.
    public enum Gap: Sendable, Hashable {
        /// Exactly the messages with these offsets: the topic's history does not reach back that far.
        case missed(ClosedRange<Int>)
        /// The topic has begun again with another epoch; what its history still holds of that follows.
        case newEpoch
        /// Nothing is known: a pattern's subscription and one without positions cannot be recovered.
        case unknown
    }
}
