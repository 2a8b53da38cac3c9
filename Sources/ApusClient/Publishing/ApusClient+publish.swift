import ApusProtocol

extension ApusClient {
    /// Publishes a message and waits for its ack.
    ///
    /// Without a connection, the message waits for one in a bounded queue. If a connection is lost before the ack, the
    /// client sends the message again with the same id. It may then be delivered twice, unless the topic has a
    /// `dedupe_window`. With one, the outcome says whether the message was a duplicate.
    ///
    /// Throws `refused` with the server's code (such as `TOPIC_NOT_FOUND`), `queueFull` if ``Options/publishQueue``
    /// publishes are waiting already, `closed` if reconnecting is useless, and `cancelled` if the task is cancelled.
    /// After `cancelled`, the message may have been published or not.
    ///
    /// - Parameters:
    ///   - topic: the name of a topic.
    ///   - payload: any JSON value.
    ///   - id: a UUID; generated if `nil`.
    ///   - key: what the message is about, for ``OverflowPolicy/latest``; at most 256 bytes.
    ///   - ttl: how long the message is worth delivering.
    @discardableResult
    public func publish(
        _ topic: String,
        _ payload: JSONText,
        id: String? = nil,
        key: String? = nil,
        ttl: Duration? = nil
    ) async throws(ClientError) -> Outcome {
        try await enqueue(topic, payload, id: id, key: key, ttl: ttl).outcome()
    }

    /// Publishes messages as one batch, all or none, and waits for the ack.
    ///
    /// The messages get consecutive offsets; the outcome has the first. Otherwise like ``publish(_:_:id:key:ttl:)``.
    /// The server limits the size of a batch, to 10,000 messages by default.
    ///
    /// - Parameters:
    ///   - topic: the name of a topic.
    ///   - batch: the messages, at least one.
    ///   - key: what all the messages are about.
    ///   - ttl: how long the messages are worth delivering.
    @discardableResult
    public func publish(
        _ topic: String,
        batch: [Message],
        key: String? = nil,
        ttl: Duration? = nil
    ) async throws(ClientError) -> Outcome {
        guard let first = batch.first else {
            throw ClientError(.badMessage, "a batch needs at least one message", topic: topic)
        }
        var command = PublishCommand(topic: topic, content: .batch(batch.map(\.command)))
        command.key = key
        command.timeToLive = ttl
        let (request, ticket) = try publisher.enqueue(command)
        return try await Receipt(id: first.id, count: batch.count, request, ticket, publisher).outcome()
    }

    /// Queues a message for publishing without waiting for its ack, so that many publishes can be under way.
    ///
    /// Messages are sent in the order of these calls. Throws the errors of ``publish(_:_:id:key:ttl:)`` that are known
    /// at once, mainly `queueFull`; the receipt reports all others. A message without an ack may be lost when the
    /// client's closure ends.
    ///
    /// - Parameters:
    ///   - topic: the name of a topic.
    ///   - payload: any JSON value.
    ///   - id: a UUID; generated if `nil`.
    ///   - key: what the message is about.
    ///   - ttl: how long the message is worth delivering.
    ///   - wantsOutcome: whether to ask the server for more than an ack. If `false`, the outcome has no position, and
    ///     the publish costs a little less.
    public func enqueue(
        _ topic: String,
        _ payload: JSONText,
        id: String? = nil,
        key: String? = nil,
        ttl: Duration? = nil,
        wantsOutcome: Bool = true
    ) throws(ClientError) -> Receipt {
        let message = Message(payload, id: id)
        var command = PublishCommand(topic: topic, content: .message(message.command), wantsOutcome: wantsOutcome)
        command.key = key
        command.timeToLive = ttl
        let (request, ticket) = try publisher.enqueue(command)
        return Receipt(id: message.id, count: 1, request, ticket, publisher)
    }

    /// A publish whose outcome is not known yet.
    public struct Receipt: Sendable {
        /// The message's id; for a batch, the id of the first message.
        public let id: String
        private let count: Int
        private let request: Int
        private let ticket: OneShot<ServerMessage.Ack>
        private let session: PublishSession

        fileprivate init(
            id: String,
            count: Int,
            _ request: Int,
            _ ticket: OneShot<ServerMessage.Ack>,
            _ session: PublishSession
        ) {
            self.id = id
            self.count = count
            self.request = request
            self.ticket = ticket
            self.session = session
        }

        /// Waits for the outcome. Throws like ``ApusClient/ApusClient/publish(_:_:id:key:ttl:)``.
        ///
        /// If the waiting task is cancelled, a message that was not sent yet is not published.
        public func outcome() async throws(ClientError) -> Outcome {
            do {
                return Outcome(try await ticket.value(), id: id, count: count)
            } catch {
                if error.code == .cancelled { session.abandon(request) }
                throw error
            }
        }
    }
}

extension ApusClient.Message {
    fileprivate var command: PublishCommand.Message { .init(id: id, payload: payload.text) }
}
