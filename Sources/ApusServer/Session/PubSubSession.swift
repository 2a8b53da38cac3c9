import ApusBroker
import ApusProtocol
import Logging
import NIOCore

/// One connection's conversation in the contract's commands, replies and pushes. Lives on its connection's loop.
final class PubSubSession: WebSocketSession, Subscriber, WaitingPublisher {
    let dialect: Dialect
    var subscriptions = SubscriptionSet()
    private let connection: WebSocketConnection
    private let worker: Worker
    /// When a client that has not shown its key is let go; `nil` once it has.
    private var authDeadline: Int64?
    private var nextHeartbeat: Int64
    /// The topic that makes this connection's publisher wait.
    private var throttledBy: Topic?

    init(connection: WebSocketConnection, dialect: Dialect, isAuthorized: Bool) {
        self.connection = connection
        self.dialect = dialect
        self.worker = connection.worker
        let now = worker.monotonicNow()
        nextHeartbeat = worker.settings.heartbeat > 0 ? now + worker.settings.heartbeat : .max
        authDeadline = isAuthorized ? nil : now + max(worker.settings.authTimeout, 1)
    }

    private var encoder: MessageEncoder { MessageEncoder(dialect: dialect) }

    // MARK: Commands

    func received(_ message: UnsafeRawBufferPointer, isText: Bool) -> Bool {
        // Text was checked to be UTF-8 when it came in.
        switch worker.scanner.scan(message, dialect: dialect, knownValidUTF8: isText) {
        case .success(let command):
            let requestID = command.requestID.map { UnsafeRawBufferPointer(rebasing: message[$0]) }
            guard authDeadline == nil else {
                authenticate(command, in: message, requestID: requestID)
                return true
            }
            return execute(command, in: message, requestID: requestID)
        case .failure(let error):
            let requestID = error.requestID.map { UnsafeRawBufferPointer(rebasing: message[$0]) }
            guard authDeadline == nil else {
                refuseUnauthorized(requestID: requestID)
                return true
            }
            reply(.badRequest, error.message, requestID: requestID)
            return true
        }
    }

    private func execute(
        _ command: Command,
        in message: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?
    ) -> Bool {
        guard !worker.isDraining else {
            reply(.unavailable, "The server is shutting down", requestID: requestID)
            return true
        }
        switch command.kind {
        case .publish:
            return publish(command, in: message, requestID: requestID)
        case .subscribe:
            subscribe(command, in: message, requestID: requestID)
        case .unsubscribe:
            unsubscribe(command, in: message, requestID: requestID)
        case .ping:
            encoder.pong(requestID: requestID, time: worker.now, to: &worker.replies)
        case .auth:
            // Already let in, by a key or because none is needed.
            acknowledge(nil, requestID: requestID)
        }
        return true
    }

    private func publish(
        _ command: Command,
        in message: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?
    ) -> Bool {
        let body = UnsafeRawBufferPointer(rebasing: message[command.message])
        let result = withName(command.topic, in: message) { name in
            worker.hub.publish(body, toTopicNamed: name, time: worker.now)
        }
        guard let (topic, outcome) = result else {
            let error = BrokerError.topicNotFound(text(command.topic, in: message))
            reply(error.wireCode, error.message, requestID: requestID)
            return true
        }
        guard outcome != .throttled else {
            throttledBy = topic
            worker.hub.wait(self, for: topic)
            return false
        }
        acknowledge(topic, requestID: requestID)
        return true
    }

    private func subscribe(
        _ command: Command,
        in message: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?
    ) {
        let name = text(command.topic, in: message)
        do throws(BrokerError) {
            let topic = try worker.hub.subscribe(
                self,
                to: name,
                clientID: text(command.clientID, in: message),
                lastN: command.lastN,
                options: worker.settings.subscription,
                limit: worker.settings.maxSubscriptions
            )
            acknowledge(topic, requestID: requestID)
        } catch {
            reply(error.wireCode, error.message, requestID: requestID)
        }
    }

    private func unsubscribe(
        _ command: Command,
        in message: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?
    ) {
        let name = text(command.topic, in: message)
        // What was published before is delivered before the ack of the unsubscribe, and after the acks before it.
        connection.sendReplies()
        do throws(BrokerError) {
            let clientID = text(command.clientID, in: message)
            let topic = try worker.hub.unsubscribe(self, from: name, clientID: clientID)
            acknowledge(topic, requestID: requestID)
        } catch {
            reply(error.wireCode, error.message, requestID: requestID)
        }
    }

    /// Gives `body` the bytes of a name: those in the message, unless it is written with escapes.
    private func withName<Result>(
        _ name: JSONText,
        in message: UnsafeRawBufferPointer,
        _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        guard name.hasEscapes else { return body(UnsafeRawBufferPointer(rebasing: message[name.range])) }
        var decoded = text(name, in: message)
        return decoded.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }

    /// The scanner has checked that the text can be decoded.
    private func text(_ text: JSONText, in message: UnsafeRawBufferPointer) -> String {
        text.string(in: message) ?? ""
    }

    // MARK: API keys

    private func authenticate(
        _ command: Command,
        in message: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?
    ) {
        guard command.kind == .auth, worker.settings.apiKeys.contains(text(command.apiKey, in: message)) else {
            return refuseUnauthorized(requestID: requestID)
        }
        authDeadline = nil
        acknowledge(nil, requestID: requestID)
    }

    private func refuseUnauthorized(requestID: UnsafeRawBufferPointer?) {
        reply(.unauthorized, "A valid API key must be sent first", requestID: requestID)
        connection.disconnect(.unauthorized)
    }

    // MARK: Replies

    private func acknowledge(_ topic: Topic?, requestID: UnsafeRawBufferPointer?) {
        encoder.ack(
            requestID: requestID,
            topicJSON: topic?.template.topicJSON,
            time: worker.now,
            to: &worker.replies
        )
    }

    private func reply(_ code: ErrorCode, _ message: String, requestID: UnsafeRawBufferPointer?) {
        encoder.error(code, message, requestID: requestID, time: worker.now, to: &worker.replies)
    }

    // MARK: Subscriber

    var isWritable: Bool { connection.isWritable }

    func deliver(_ frames: ByteBuffer) {
        if !connection.hasUnflushed { worker.hub.flushLater(self) }
        connection.write(frames)
    }

    func flush() {
        connection.flush()
    }

    func notify(_ notice: SubscriberNotice) {
        worker.beginBurst()
        var frame = ByteBuffer()
        switch notice {
        case .messagesDropped(let topic, let count):
            encoder.messagesDropped(count, topicJSON: topic.template.topicJSON, time: worker.now, to: &frame)
            deliver(frame)
            worker.logger.debug(
                "messages dropped",
                metadata: ["connection.id": "\(connection.id)", "topic": "\(topic.name)", "count": "\(count)"]
            )
        case .topicDeleted(let topic):
            encoder.topicDeleted(topicJSON: topic.template.topicJSON, time: worker.now, to: &frame)
            deliver(frame)
            if worker.settings.disconnectsOnDelete { connection.disconnect(.topicDeleted) }
        case .slowConsumer(let topic):
            let text = "Topic '\(topic.name)': too far behind"
            encoder.error(.slowConsumer, text, requestID: nil, time: worker.now, to: &frame)
            connection.write(frame)
            worker.logger.info(
                "slow consumer cut",
                metadata: ["connection.id": "\(connection.id)", "topic": "\(topic.name)"]
            )
            connection.disconnect(.slowConsumer)
        }
    }

    // MARK: Connection events

    func becameWritable() {
        worker.hub.resume(self)
        if worker.isDraining { connection.closeIfDrained() }
    }

    /// Whether there is nothing left to deliver.
    var isDrained: Bool { worker.hub.isCaughtUp(self) }

    func publishAgain() {
        throttledBy = nil
        connection.continueReading()
    }

    func tick(now: Int64) {
        if let authDeadline, now >= authDeadline {
            refuseUnauthorized(requestID: nil)
            return
        }
        guard now >= nextHeartbeat else { return }
        nextHeartbeat = now + worker.settings.heartbeat
        // A client that has not shown its key yet is told nothing; one that reads nothing needs no sign of life.
        guard authDeadline == nil, isWritable else { return }
        var frame = ByteBuffer()
        encoder.heartbeat(time: worker.now, to: &frame)
        connection.write(frame)
        connection.flush()
    }

    func ended() {
        worker.hub.removeAll(of: self)
        if let throttledBy = throttledBy.take() { worker.hub.stopWaiting(self, for: throttledBy) }
    }
}

extension BrokerError {
    /// The code a client sees.
    var wireCode: ErrorCode {
        switch code {
        case .topicExists: .topicExists
        case .topicNotFound: .topicNotFound
        case .nameNotAllowed, .tooManySubscriptions: .badRequest
        case .tooManyTopics: .unavailable
        }
    }
}
