import ApusProtocol
import FoundationEssentials
import NIOCore

// The elements that a subscription yields.

extension PubSub {
    /// A published message, or news about the subscription, in order.
    public enum Delivery: Sendable, Hashable {
        case event(Event)
        case notice(Notice)

        /// The event; `nil` if this is a notice.
        public var event: Event? {
            if case .event(let event) = self { event } else { nil }
        }
    }

    /// A message published to a topic. It retains the memory that it shares with its neighbours in the topic's log.
    public struct Event: Sendable, Hashable {
        /// The topic that the message was published to. For a pattern, a topic that matches.
        public let topic: String
        /// The key of the message, if it has one.
        public let key: String?
        /// The message's position in the topic's log.
        public let offset: Offset
        /// When the message was published, as RFC 3339 text.
        public let time: String
        private let json: ByteBuffer

        init(topic: String, json: ByteBuffer, key: String?, offset: Offset?, time: String) {
            self.topic = topic
            self.json = json
            self.key = key
            self.offset = offset ?? 0
            self.time = time
        }

        /// The whole message (`id`, `payload` and any other fields), byte for byte as published.
        public var message: String { String(buffer: json) }

        /// The id that the publisher gave the message.
        public var id: String {
            json.withUnsafeReadableBytes { bytes in MessageText(bytes).id?.string(in: bytes) ?? "" }
        }

        /// The payload's JSON, byte for byte as published.
        public var payload: String {
            json.withUnsafeReadableBytes { bytes in
                MessageText(bytes).payload.map { String(decoding: bytes[$0], as: UTF8.self) } ?? "null"
            }
        }

        /// Decodes the payload.
        ///
        /// - Throws: `DecodingError` when the payload is not of that type.
        public func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
            try JSONDecoder().decode(type, from: Data(payload.utf8))
        }
    }

    /// News about a subscription.
    public struct Notice: Sendable, Hashable {
        /// The kinds of notices.
        public enum Kind: Sendable, Hashable {
            /// `count` messages were skipped because the subscription was behind by more than its queue.
            ///
            /// `offsets` is the range in which they lie.
            case dropped(count: Int, offsets: ClosedRange<Offset>?)
            /// Requested messages are lost.
            case gap(Gap)
            /// The topic was deleted.
            ///
            /// The sequence ends, unless it is for a pattern or waits for its topic (`waitsForTopic`).
            case topicDeleted
            /// The topic does not exist. The subscription waits for it.
            case waiting
            /// The topic that the subscription waited for exists now.
            case topicCreated
            /// The subscription is about to be ended under ``OverflowPolicy/disconnect``. `lag` and `queue` are in
            /// messages.
            case slowConsumerWarning(lag: Int, queue: Int)
            /// Another subscriber joined.
            case joined(clientID: String)
            /// Another subscriber left.
            case left(clientID: String)
            /// `count` notices of the last two kinds were left out, because the subscription was not read.
            case presenceDropped(count: Int)
        }

        /// The topic that the notice is about.
        public let topic: String
        public let kind: Kind
    }

    /// What is known about messages that could not be recovered.
    public enum Gap: Sendable, Hashable {
        /// Exactly the messages with these offsets. The topic's history does not reach back that far.
        case missed(ClosedRange<Offset>)
        /// The topic was created again and has another epoch. The messages in its history follow.
        case newEpoch
    }

    /// The position of a message in a topic: `epoch:offset`.
    public struct Position: Sendable, Hashable, CustomStringConvertible {
        /// Tells topics of the same name apart that existed one after the other.
        public let epoch: String
        public let offset: Offset

        public init(epoch: String, offset: Offset) {
            self.epoch = epoch
            self.offset = offset
        }

        public var description: String { "\(epoch):\(offset)" }
    }
}
