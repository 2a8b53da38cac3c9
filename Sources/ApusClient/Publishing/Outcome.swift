import Foundation

extension ApusClient {
    /// A message to publish.
    public struct Message: Sendable, Hashable {
        /// A UUID. The v1 dialect accepts any non-empty string.
        public let id: String
        /// The payload.
        public let payload: JSONText

        /// Creates a message. Generates an id if none is given.
        public init(_ payload: JSONText, id: String? = nil) {
            self.id = id ?? UUID().uuidString.lowercased()
            self.payload = payload
        }
    }

    /// The result of a publish.
    public struct Outcome: Sendable, Hashable {
        /// The message's id; for a batch, the id of the first message.
        public let id: String
        /// The message's position in its topic; for a batch, that of the first message. `nil` if the server does not
        /// support positions.
        public let position: Position?
        /// How many subscriptions the message was for when it was published; `nil` if the server did not say.
        public let subscribers: Int?
        /// Where the message is stored; `nil` if the server did not say.
        public let storage: Storage?
        /// Whether the message was a duplicate within the topic's dedupe window, and was not delivered again. For a
        /// batch, whether all messages were.
        public let isDuplicate: Bool
        /// How many messages the publish had.
        public let count: Int
        /// How many of them had been published before.
        public let duplicates: Int
        /// When the server accepted the publish, as RFC 3339 text.
        public let time: String
    }

    /// Where a message was stored at the time of its ack.
    public enum Storage: String, Sendable, Hashable {
        /// The memory of one server.
        case memory
        /// One server, beyond the end of its process.
        case os
        /// The disk of one server.
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
    /// The position in an ack; `nil` if the ack has none.
    init?(_ ack: ServerMessage.Ack) {
        guard let epoch = ack.epoch, let offset = ack.offset else { return nil }
        self.init(epoch: epoch, offset: offset)
    }
}
