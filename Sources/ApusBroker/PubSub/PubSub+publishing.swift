import ApusProtocol
import FoundationEssentials
import NIOCore
import Synchronization

extension PubSub {
    /// A message to publish.
    public struct Message: Sendable, Hashable {
        let id: String
        /// JSON text.
        let payload: String

        /// Creates a message from JSON text.
        ///
        /// - Parameters:
        ///   - payload: any JSON value. It is delivered byte for byte.
        ///   - id: identifies the message: a topic with a ``TopicSetting/dedupeWindow(_:)`` accepts each id once. It
        ///     must not be empty; `nil` for a new UUID.
        public init(_ payload: String, id: String? = nil) {
            self.payload = payload
            self.id = id ?? UUID().uuidString.lowercased()
        }

        /// Encodes a value as JSON.
        ///
        /// - Throws: the error of `JSONEncoder`.
        public init(encoding value: some Encodable, id: String? = nil) throws {
            self.init(String(decoding: try JSONEncoder().encode(value), as: UTF8.self), id: id)
        }
    }

    /// The result of a publish.
    public struct Outcome: Sendable, Hashable {
        /// The position of the first message.
        public let position: Position
        /// The number of messages published. The topic has seen the ids of the others within its dedupe window.
        public let count: Int
        /// The number of subscriptions that the messages are for.
        public let subscribers: Int
        /// When the messages were published, as RFC 3339 text.
        public let time: String

        init(_ receipt: PublishReceipt, epoch: String, time: Timestamp) {
            position = Position(epoch: epoch, offset: receipt.offset)
            count = receipt.count
            subscribers = receipt.subscribers
            self.time = time.description
        }
    }

    /// What a `ttl` may be.
    static let lifetimes = Duration.milliseconds(1)...Duration.milliseconds(CommandScanner.maxTTL)
    private static let lastID = Atomic<UInt64>(0)

    /// Publishes a JSON payload.
    ///
    /// Returns when the message is in the topic's log. If a subscription with ``OverflowPolicy/throttle`` is at its
    /// bound, the call first waits. A task that is cancelled while it waits has not published.
    ///
    /// - Parameters:
    ///   - key: ``OverflowPolicy/latest`` keeps the newest message of each key; 1 to 256 bytes.
    ///   - ttl: how long the message is delivered, 1 ms to 100 years; `nil` for the topic's setting.
    /// - Throws: ``BrokerError`` `.topicNotFound`, `.nameNotAllowed`, `.badRequest`, `.messageTooLarge`,
    ///   `.rateLimited` or `.cancelled`.
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

    /// Publishes several messages, all or none. No other message comes between them.
    ///
    /// - Throws: ``BrokerError`` `.topicNotFound`, `.nameNotAllowed`, `.badRequest`, `.messageTooLarge`,
    ///   `.rateLimited` or `.cancelled`.
    @discardableResult
    public func publish(
        _ topic: String,
        batch: [Message],
        key: String? = nil,
        ttl: Duration? = nil
    ) async throws(BrokerError) -> Outcome {
        let prepared = try prepare(batch, to: topic, key: key, ttl: ttl)
        if core.broker.mayBeBehind(topic) { try await core.broker.catchUp(on: [topic]) }
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
            prepared.keyJSON = jsonBytes(key)
        }
        if let ttl {
            guard Self.lifetimes.contains(ttl) else {
                throw BrokerError(.badRequest, "A ttl is 1 ms to 100 years")
            }
            prepared.ttl = ttl.wholeMilliseconds
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
