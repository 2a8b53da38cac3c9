import ApusProtocol
import Synchronization

/// The client's publishes, across reconnects.
///
/// They have their own connection. Acks must arrive even while a slow consumer stops the reading of the subscriptions'
/// connection. Otherwise, a consumer that publishes a result for each event would wait for itself.
final class PublishSession: Sendable {
    /// The approximate size of one write, in bytes.
    private static let writeBytes = 64 << 10

    private struct State {
        var queue: PublishQueue
        var isRunning = false
        var isClosed = false
    }

    private let transport: ReconnectingTransport
    private let state: Mutex<State>
    private let news = Signal()
    /// Starts `run`.
    private let start: @Sendable (PublishSession) -> Void

    init(transport: ReconnectingTransport, start: @escaping @Sendable (PublishSession) -> Void) {
        self.transport = transport
        self.start = start
        let options = transport.options
        let queue = PublishQueue(
            limit: options.publishQueue,
            byteLimit: options.publishQueueBytes,
            patience: options.publishWait
        )
        state = Mutex(State(queue: queue))
    }

    // MARK: Publishing

    /// Adds a publish to the queue. Throws `queueFull` if there is no room, and `closed` after the end.
    func enqueue(_ command: PublishCommand) throws(ClientError) -> (request: Int, ticket: OneShot<ServerMessage.Ack>) {
        let ticket = OneShot<ServerMessage.Ack>()
        let (result, mustStart) = state.withLock { state -> (Result<Int, ClientError>, Bool) in
            guard !state.isClosed else { return (.failure(.clientClosed), false) }
            do throws(ClientError) {
                let request = try state.queue.append(topic: command.topic, ticket: ticket) {
                    command.text(requestID: $0)
                }
                defer { state.isRunning = true }
                return (.success(request), !state.isRunning)
            } catch {
                return (.failure(error), false)
            }
        }
        let request = try result.get()
        if mustStart { start(self) }
        news.raise()
        return (request, ticket)
    }

    /// Records that the caller no longer waits for this publish.
    func abandon(_ request: Int) {
        state.withLock { $0.queue.abandon(request) }
    }

    /// Records that a subscription saw the topic, which was missing before.
    func topicIsThere(_ topic: String) {
        state.withLock { $0.queue.topicMayBeThere(topic) }
        news.raise()
    }

    /// Records that a subscription was told of the topic's deletion.
    func topicIsDeleted(_ topic: String) {
        state.withLock { $0.queue.topicDeleted(topic) }
    }

    /// Accepts no more publishes, and fails the remaining ones.
    func close() {
        let left = state.withLock { state in
            state.isClosed = true
            return state.queue.removeAll()
        }
        for entry in left { entry.ticket.complete(.failure(.clientClosed)) }
    }

    // MARK: Running

    /// Serves the queue until the task is cancelled or reconnecting is useless. Then all its publishes fail.
    ///
    /// Later publishes start a new run with a new connection.
    func run() async {
        let error = await transport.run { disconnect in
            state.withLock { $0.queue.disconnected(tooBig: disconnect.isForTooBig) }
        } _: {
            await serve($0)
        }
        let left = state.withLock { state in
            state.isRunning = false
            return state.queue.removeAll()
        }
        let failure = error.code == .cancelled ? .clientClosed : error
        for entry in left { entry.ticket.complete(.failure(failure)) }
    }

    private func serve(_ connection: WebSocketConnection) async -> ConnectionEnd {
        var disconnect = ConnectionEnd(error: .clientClosed)
        state.withLock { $0.queue.connected() }
        let renewal = transport.renewal(of: connection)
        await withDiscardingTaskGroup { group in
            group.addTask { await self.send(on: connection) }
            await receive(from: connection, renewal, &disconnect, &group)
            group.cancelAll()
            renewal.end()
            await transport.close(connection)
        }
        if disconnect.error.close?.code == WebSocketClose.messageTooBig { refuseTooBig(&disconnect) }
        return disconnect
    }

    /// Finds the command that was too big for the server, which does not say which one it was.
    private func refuseTooBig(_ disconnect: inout ConnectionEnd) {
        let refused = state.withLock { $0.queue.removeTooBig() }
        disconnect.isForTooBig = !refused.isEmpty
        disconnect.wasUseful = disconnect.isForTooBig
        for entry in refused {
            entry.ticket.complete(.failure(.tooBig(bytes: entry.text.utf8.count, topic: entry.topic)))
        }
    }

    /// Sends what is in the queue, and waits for more. A publish that fails here is lost with the connection and sent
    /// on the next.
    private func send(on connection: WebSocketConnection) async {
        while !Task.isCancelled {
            let texts = state.withLock { $0.queue.takeUnsent(byteLimit: Self.writeBytes) }
            if texts.isEmpty {
                await news.wait()
            } else {
                guard (try? await connection.send(texts: texts)) != nil else { return }
            }
        }
    }

    private func receive(
        from connection: WebSocketConnection,
        _ renewal: TokenRenewal,
        _ disconnect: inout ConnectionEnd,
        _ group: inout DiscardingTaskGroup
    ) async {
        do throws(ClientError) {
            while true {
                let messages = try await connection.receiveBatch()
                if messages.isEmpty { throw ClientError(WebSocketClose(code: WebSocketClose.abnormal)) }
                for message in messages {
                    switch message {
                    case .text(let text):
                        let message = try ServerMessage(text)
                        if !renewal.handle(message) { handle(message, &disconnect, &group) }
                    case .close(let close): throw ClientError(close)
                    case .binary, .ping, .pong: break
                    }
                }
            }
        } catch {
            disconnect.error = error
        }
    }

    private func handle(
        _ message: ServerMessage,
        _ disconnect: inout ConnectionEnd,
        _ group: inout DiscardingTaskGroup
    ) {
        switch message {
        case .ack(let ack):
            disconnect.wasUseful = true
            // The entry may have been a scout. Its followers can go now.
            let entry = state.withLock { $0.queue.acked(ack.requestID) }
            news.raise()
            entry?.ticket.complete(.success(ack))
        case .error(let reply) where reply.code == ErrorCode.unavailable.rawValue:
            // If the server is about to close the connection, the next connection sends the message again.
            hold(reply, by: .unavailable, &group)
        case .error(let reply) where reply.code == ErrorCode.rateLimited.rawValue:
            disconnect.wasUseful = true
            hold(reply, by: .rateLimited, &group)
        case .error(let reply) where reply.code == ErrorCode.topicNotFound.rawValue:
            disconnect.wasUseful = true
            hold(reply, by: .topicMissing, &group)
        case .error(let reply):
            guard let entry = state.withLock({ $0.queue.refused(reply.requestID) }) else { return }
            disconnect.wasUseful = true
            news.raise()
            entry.ticket.complete(.failure(ClientError(reply, topic: entry.topic)))
        case .info(let info) where info.message == "shutdown":
            disconnect.reconnectAfter = info.reconnectAfterMilliseconds.map { .milliseconds($0) }
        case .event, .info, .pong, .unknown:
            break
        }
    }

    /// Fails the topic's publishes that do not wait, and sends the others again later.
    private func hold(
        _ reply: ServerMessage.ErrorReply,
        by obstacle: PublishQueue.Obstacle,
        _ group: inout DiscardingTaskGroup
    ) {
        let now = transport.environment.now()
        let pause = Duration.milliseconds(reply.retryAfterMilliseconds ?? 0)
        let (refused, wait) = state.withLock {
            $0.queue.held(reply.requestID, by: obstacle, pause: pause, now: now)
        }
        for entry in refused { entry.ticket.complete(.failure(ClientError(reply, topic: entry.topic))) }
        guard let wait else { return }
        group.addTask {
            let limit = wait.deadline - now
            guard await self.transport.pause(attempt: wait.attempt, atLeast: pause, atMost: limit) else { return }
            self.state.withLock { $0.queue.waited(wait) }
            self.news.raise()
        }
    }
}

extension ClientError {
    /// The error for a client whose closure has ended.
    static var clientClosed: ClientError { ClientError(.clientClosed, "the client is closed") }

    var isClientClosed: Bool { code == .clientClosed }
}
