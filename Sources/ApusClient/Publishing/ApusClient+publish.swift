extension ApusClient {
    /// Publishes a message and waits for its ack.
    ///
    /// Without a connection it waits for one, in a queue that has a bound; after a connection was lost before the ack
    /// came, the message is sent again with the same id. It may then have been delivered twice, unless the topic has a
    /// `dedupe_window`; the outcome says so where it has.
    ///
    /// Throws `refused` with the server's code (such as `TOPIC_NOT_FOUND`), `queueFull` when as many publishes wait as
    /// ``Options/publishQueue`` allows, `closed` when reconnecting is useless, and `cancelled` when the task is: then
    /// it may have been published or not.
    ///
    /// - Parameters:
    ///   - topic: the name of a topic.
    ///   - payload: any JSON value.
    ///   - id: a UUID; made when nil.
    ///   - key: what the message is about, for ``OverflowPolicy/latest``; at most 256 bytes.
    ///   - ttl: how long it is worth delivering.
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
    /// They get consecutive offsets, of which the outcome has the first. Otherwise as
    /// ``publish(_:_:id:key:ttl:)``; the server takes a limited number at once, 10,000 by default.
    ///
    /// - Parameters:
    ///   - topic: the name of a topic.
    ///   - batch: the messages, at least one.
    ///   - key: what they all are about.
    ///   - ttl: how long they are worth delivering.
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
        var command = PublishCommand(topic: topic, content: .batch(batch))
        command.key = key
        command.timeToLive = ttl
        let (request, ticket) = try publisher.enqueue(command)
        return try await Receipt(id: first.id, count: batch.count, request, ticket, publisher).outcome()
    }

    /// Hands a message over to be published without waiting for its ack, so that many can be on their way.
    ///
    /// Messages are sent in the order of these calls. Throws as ``publish(_:_:id:key:ttl:)`` what is known at once,
    /// `queueFull` above all; the receipt has the rest. What has no ack when the client's closure ends may be lost.
    ///
    /// - Parameters:
    ///   - topic: the name of a topic.
    ///   - payload: any JSON value.
    ///   - id: a UUID; made when nil.
    ///   - key: what the message is about.
    ///   - ttl: how long it is worth delivering.
    ///   - wantsOutcome: whether the server is asked for more than an ack; if not, the outcome has no position, and the
    ///     publish costs a little less.
    public func enqueue(
        _ topic: String,
        _ payload: JSONText,
        id: String? = nil,
        key: String? = nil,
        ttl: Duration? = nil,
        wantsOutcome: Bool = true
    ) throws(ClientError) -> Receipt {
        let message = Message(payload, id: id)
        var command = PublishCommand(topic: topic, content: .message(message), key: key, timeToLive: ttl)
        command.wantsOutcome = wantsOutcome
        let (request, ticket) = try publisher.enqueue(command)
        return Receipt(id: message.id, count: 1, request, ticket, publisher)
    }

    /// What stands for a publish until its outcome is there.
    public struct Receipt: Sendable {
        /// The message's id, of a batch the first one's.
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

        /// Waits for the outcome; throws as ``ApusClient/ApusClient/publish(_:_:id:key:ttl:)``.
        ///
        /// When the waiting task is cancelled, the message is not published if it was not sent yet.
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
