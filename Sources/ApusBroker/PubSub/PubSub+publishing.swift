import ApusProtocol
import FoundationEssentials
import NIOCore
import Synchronization

extension PubSub {
    /// A message to publish.
    public struct Message: Sendable, Hashable {
        /// Tells it from others; a topic with a `dedupeWindow` takes each once.
        public let id: String
        /// JSON.
        public let payload: String

        /// - Parameters:
        ///   - payload: any JSON value, handed on byte for byte.
        ///   - id: not empty; a new UUID where none is given.
        public init(_ payload: String, id: String? = nil) {
            self.payload = payload
            self.id = id ?? UUID().uuidString.lowercased()
        }

        /// A value as JSON.
        public init(encoding value: some Encodable, id: String? = nil) throws {
            self.init(String(decoding: try JSONEncoder().encode(value), as: UTF8.self), id: id)
        }
    }

    /// Where publications went.
    public struct Outcome: Sendable, Hashable {
        /// The place of the first.
        public let position: Position
        /// How many were published.
        public let count: Int
        /// How many were not, because the topic has had their ids within its window.
        public let duplicates: Int
        /// How many subscriptions they are for.
        public let subscribers: Int
        /// When, as RFC 3339 text.
        public let time: String

        /// Whether nothing was published.
        public var isDuplicate: Bool { count == 0 }

        init(_ receipt: PublishReceipt, epoch: String, time: Timestamp) {
            position = Position(epoch: epoch, offset: receipt.offset)
            count = receipt.count
            duplicates = receipt.duplicates
            subscribers = receipt.subscribers
            self.time = time.description
        }
    }

    private static let lastID = Atomic<UInt64>(0)

    /// Publishes a JSON payload.
    ///
    /// Returns when the message is in the topic's log. Waits before that where a subscription with
    /// ``OverflowPolicy/throttle`` is at its bound; who is cancelled then has not published.
    ///
    /// - Parameters:
    ///   - key: of messages with the same key, ``OverflowPolicy/latest`` keeps the newest; 1 to 256 bytes.
    ///   - ttl: how long it is delivered; the topic's where none is given.
    /// - Throws: ``BrokerError`` `.topicNotFound`, `.nameNotAllowed`, `.badRequest`, `.messageTooLarge` or
    ///   `.cancelled`.
    @discardableResult
    public func publish(
        _ topic: String,
        _ payload: String,
        id: String? = nil,
        key: String? = nil,
        ttl: Duration? = nil
    ) async throws(BrokerError) -> Outcome {
        try await publish(topic, batch: [Message(payload, id: id)], key: key, ttl: ttl)
    }

    /// Publishes several messages, all or none, with no other between them.
    @discardableResult
    public func publish(
        _ topic: String,
        batch: [Message],
        key: String? = nil,
        ttl: Duration? = nil
    ) async throws(BrokerError) -> Outcome {
        let prepared = try prepare(batch, to: topic, key: key, ttl: ttl)
        let id = Self.lastID.add(1, ordering: .relaxed).newValue
        core.start()
        let result = await withTaskCancellationHandler {
            await Result { () async throws(BrokerError) in
                try await core.loop.publish(prepared, origin: core.origin, id: id)
            }
        } onCancel: {
            core.post(.cancelPublish(id))
        }
        return try result.get()
    }

    private func prepare(
        _ messages: [Message],
        to topic: String,
        key: String?,
        ttl: Duration?
    ) throws(BrokerError) -> LocalPublisher.Messages {
        var prepared = LocalPublisher.Messages(topic: topic)
        guard !messages.isEmpty else { throw BrokerError(.badRequest, "There is no message to publish") }
        for message in messages {
            guard !message.id.isEmpty else { throw BrokerError(.badRequest, "A message's id is empty") }
            let start = prepared.bytes.readableBytes
            prepared.bytes.writeStaticString(#"{"id":"#)
            appendJSONString(message.id, to: &prepared.bytes)
            prepared.bytes.writeStaticString(#","payload":"#)
            var payload = message.payload
            guard payload.withUTF8({ JSONDocument.isValid(UnsafeRawBufferPointer($0)) }) else {
                throw BrokerError(.badRequest, "The payload is no JSON")
            }
            prepared.bytes.writeString(payload)
            prepared.bytes.writeStaticString("}")
            let range = start..<prepared.bytes.readableBytes
            guard range.count <= core.options.maxMessage else {
                throw BrokerError(
                    .messageTooLarge,
                    "The message has \(range.count) bytes, more than \(core.options.maxMessage)"
                )
            }
            prepared.ranges.append(range)
            prepared.ids.append(message.id)
        }
        if let key {
            guard (1...CommandScanner.maxKey).contains(key.utf8.count) else {
                throw BrokerError(.badRequest, "A key is 1 to \(CommandScanner.maxKey) bytes")
            }
            prepared.keyJSON = Array(jsonString(key).utf8)
        }
        if let ttl {
            guard ttl >= .milliseconds(1), ttl <= .milliseconds(CommandScanner.maxTTL) else {
                throw BrokerError(.badRequest, "A ttl is 1 ms to 100 years")
            }
            prepared.ttl = ttl.inMilliseconds
        }
        return prepared
    }
}

extension Result {
    fileprivate init(_ body: () async throws(Failure) -> Success) async {
        do throws(Failure) {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}
