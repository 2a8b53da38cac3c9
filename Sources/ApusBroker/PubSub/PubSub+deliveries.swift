import ApusProtocol
import FoundationEssentials
import NIOCore

// What a subscription yields.

extension PubSub {
    /// A published message, or news about the subscription, in their order.
    public enum Delivery: Sendable, Hashable {
        case event(Event)
        case notice(Notice)

        /// The event, if it is one.
        public var event: Event? {
            if case .event(let event) = self { event } else { nil }
        }

        /// The notice, if it is one.
        public var notice: Notice? {
            if case .notice(let notice) = self { notice } else { nil }
        }
    }

    /// A message published to a topic. Holds the memory that it shares with its neighbours in the topic's log.
    public struct Event: Sendable, Hashable {
        /// The topic it was published to; under a pattern, one that matches.
        public let topic: String
        /// The key it was published with.
        public let key: String?
        /// Its place in the topic's log.
        public let offset: Offset
        /// When it was published, as RFC 3339 text.
        public let time: String
        private let json: ByteBuffer

        init(topic: String, json: ByteBuffer, key: String?, offset: Offset?, time: String) {
            self.topic = topic
            self.json = json
            self.key = key
            self.offset = offset ?? 0
            self.time = time
        }

        /// The whole message (`id`, `payload` and what else it has), byte for byte as published.
        public var message: String { String(buffer: json) }

        /// The publisher's id of the message.
        public var id: String {
            json.withUnsafeReadableBytes { bytes in MessageText(bytes).id?.string(in: bytes) ?? "" }
        }

        /// The payload's JSON, byte for byte as published.
        public var payload: String {
            json.withUnsafeReadableBytes { bytes in
                MessageText(bytes).payload.map { String(decoding: bytes[$0], as: UTF8.self) } ?? "null"
            }
        }

        /// The payload as a value.
        ///
        /// - Throws: `DecodingError` when it is not of that type.
        public func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
            try JSONDecoder().decode(type, from: Data(payload.utf8))
        }
    }

    /// News about a subscription.
    public struct Notice: Sendable, Hashable {
        /// What a notice tells.
        public enum Kind: Sendable, Hashable {
            /// So many messages were skipped because the subscription was behind by more than its queue; and which.
            case dropped(count: Int, offsets: ClosedRange<Offset>?)
            /// Messages that were asked for are gone for good.
            case gap(Gap)
            /// The topic was deleted. The subscription to it has ended, unless it ``SubscribeOptions/waitsForTopic``.
            case topicDeleted
            /// The topic is not there, and is waited for.
            case waiting
            /// The topic that was waited for is there.
            case topicCreated
            /// The subscription will be ended soon under ``OverflowPolicy/disconnect``.
            case slowConsumerWarning(lag: Int, queue: Int)
            /// Another subscriber came.
            case joined(clientID: String)
            /// Another subscriber went.
            case left(clientID: String)
            /// So many of the last two kinds were left out, because nothing was taken.
            case presenceDropped(count: Int)
        }

        /// The topic it is about.
        public let topic: String
        public let kind: Kind
    }

    /// What is known of messages that could not be recovered.
    public enum Gap: Sendable, Hashable {
        /// Exactly the messages with these offsets: the topic's history does not reach back that far.
        case missed(ClosedRange<Offset>)
        /// The topic has begun again with another epoch; what its history still holds of that follows.
        case newEpoch
    }

    /// The place of a message in a topic: `epoch:offset`.
    public struct Position: Sendable, Hashable, CustomStringConvertible {
        /// Which of the topics that had the name one after the other.
        public let epoch: String
        public let offset: Offset

        public init(epoch: String, offset: Offset) {
            self.epoch = epoch
            self.offset = offset
        }

        public var description: String { "\(epoch):\(offset)" }
    }
}
