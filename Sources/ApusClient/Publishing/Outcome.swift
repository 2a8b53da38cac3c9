import Foundation

extension ApusClient {
    /// A message to be published.
    public struct Message: Sendable, Hashable {
        /// A UUID (the v1 dialect takes any string that is not empty).
        public let id: String
        /// What is published.
        public let payload: JSONText

        /// Makes an id when none is given.
        public init(_ payload: JSONText, id: String? = nil) {
            self.id = id ?? UUID().uuidString.lowercased()
            self.payload = payload
        }
    }

    /// What became of a publish.
    public struct Outcome: Sendable, Hashable {
        /// The message's id, of a batch the first one's.
        public let id: String
        /// Where the message is in its topic, of a batch the first one; nil of a server without positions.
        public let position: Position?
        /// How many subscriptions it was for when it was published; nil when the server did not say.
        public let subscribers: Int?
        /// What holds it; nil when the server did not say.
        public let storage: Storage?
        /// Whether it had been published before, within the topic's dedupe window, so that it was not delivered again;
        /// of a batch, whether all were.
        public let isDuplicate: Bool
        /// How many messages the publish had.
        public let count: Int
        /// How many of them had been published before.
        public let duplicates: Int
        /// When the server took it, as RFC 3339 text.
        public let time: String
    }

    /// What held a message at the time of its ack.
    public enum Storage: String, Sendable, Hashable {
        /// The memory of one server.
        case memory
        /// A disk.
        case disk
        /// Several servers.
        case replicated
    }
}

extension ApusClient.Outcome {
    init(_ ack: ServerMessage.Ack, id: String, count: Int) {
        self.init(
            id: id,
            position: ApusClient.Position(ack),
            subscribers: ack.subscribers,
            storage: ack.stored.flatMap(ApusClient.Storage.init),
            isDuplicate: ack.isDuplicate ?? false,
            count: ack.count ?? count,
            duplicates: ack.duplicates ?? (ack.isDuplicate == true ? count : 0),
            time: ack.time
        )
    }
}

extension ApusClient.Position {
    /// The position that an ack names.
    init?(_ ack: ServerMessage.Ack) {
        guard let epoch = ack.epoch, let offset = ack.offset else { return nil }
        self.init(epoch: epoch, offset: offset)
    }
}
