import ApusClient
import ApusProtocol
import NIOCore

/// The shell's connection: commands with their answers, and events in between.
actor ShellSession {
    private static let answerTimeout = Duration.seconds(10)

    private let connection: WebSocketConnection
    private let renewal: TokenRenewal
    private let rest: RESTClient
    private let screen: ShellScreen
    private let clientID: String
    private var lastRequest = 0
    private var pending: [String: Pending] = [:]
    /// How the connection ended; `nil` while it is open.
    private(set) var end: WebSocketClose?

    /// A command that waits for its answer.
    private struct Pending {
        let continuation: CheckedContinuation<ServerMessage, any Error>
        /// The message to print when the command is acked.
        let success: String?
    }

    init(
        connection: WebSocketConnection,
        renewal: TokenRenewal,
        rest: RESTClient,
        screen: ShellScreen,
        clientID: String
    ) {
        self.connection = connection
        self.renewal = renewal
        self.rest = rest
        self.screen = screen
        self.clientID = clientID
    }

    // MARK: Commands

    /// Executes a command and prints the result. Returns `false` to leave the shell.
    func perform(_ verb: ShellVerb, _ fields: [String]) async throws -> Bool {
        let topic = fields.first ?? ""
        do {
            switch verb {
            case .subscribe:
                guard fields.count > 1, let last = Int(fields[1]), last >= 0 else {
                    try await screen.show("error: how many last messages must be a number from 0 up")
                    return true
                }
                try await acked(.subscribe(topic: topic, clientID: clientID, lastN: last), "subscribed to \(topic)")
            case .unsubscribe:
                try await acked(.unsubscribe(topic: topic, clientID: clientID), "unsubscribed from \(topic)")
            case .publish:
                try await publish(topic, fields.count > 1 ? fields[1] : "")
            case .ping:
                let start = ContinuousClock.now
                _ = try await request(.ping)
                let took = (ContinuousClock.now - start) / .milliseconds(1)
                try await screen.show("pong after \(Self.rounded(took)) ms")
            case .topics:
                let topics = try await rest.topics()
                try await screen.show(topics.isEmpty ? "no topics" : TopicTable.lines(topics).joined(separator: "\n"))
            case .create:
                let isNew = try await rest.createTopic(topic)
                try await screen.show(isNew ? "created \(topic)" : "\(topic) exists already")
            case .delete:
                try await rest.deleteTopic(topic)
                try await screen.show("deleted \(topic)")
            case .stats:
                try await showStats()
            case .help:
                try await screen.show(ShellVerb.menu)
            case .quit:
                return false
            }
        } catch let error as ClientError {
            // The shell command reports the end of the connection once.
            if error.code == .closed { return true }
            try await screen.show("error: \(CommandFailure(error, topic: topic, hints: false).message)")
        } catch let failure as CommandFailure {
            try await screen.show("error: \(failure.message)")
        }
        return true
    }

    private func publish(_ topic: String, _ text: String) async throws {
        let payload = JSONText(parsing: text) ?? .string(text)
        let id = randomID()
        try await acked(.publish(topic: topic, id: id, payload: payload), "published \(id) to \(topic)")
    }

    private func showStats() async throws {
        let stats = try await rest.stats()
        let rows = stats.topics.sorted { $0.key < $1.key }.map { name, topic in
            let counts = "\(counted(topic.messages, "message")), \(counted(topic.subscribers, "subscriber"))"
            return "\(Terminal.printable(name)): \(counts)"
        }
        try await screen.show(rows.isEmpty ? "no topics" : rows.joined(separator: "\n"))
    }

    private static func rounded(_ milliseconds: Double) -> String {
        "\((milliseconds * 100).rounded() / 100)"
    }

    // MARK: Requests and answers

    private func acked(_ command: ClientCommand, _ success: String) async throws {
        if case .error(let error) = try await request(command, success: success) {
            throw CommandFailure(error, topic: command.topic, hints: false)
        }
    }

    private func request(_ command: ClientCommand, success: String? = nil) async throws -> ServerMessage {
        if let end { throw ClientError(.closed, CommandFailure(end).message) }
        lastRequest += 1
        let id = "\(lastRequest)"
        let timer = Task {
            try await Task.sleep(for: Self.answerTimeout)
            answer(id, .failure(ClientError(.timedOut, "the server does not answer (timed out)")))
        }
        defer { timer.cancel() }
        return try await withCheckedThrowingContinuation { continuation in
            pending[id] = Pending(continuation: continuation, success: success)
            Task {
                do {
                    try await connection.send(text: command.text(requestID: id))
                } catch {
                    answer(id, .failure(error))
                }
            }
        }
    }

    private func answer(_ id: String, _ result: Result<ServerMessage, any Error>) {
        pending.removeValue(forKey: id)?.continuation.resume(with: result)
    }

    /// Prints and handles the server's messages until the connection ends. Returns how it ended.
    nonisolated func receive() async throws -> WebSocketClose {
        let printer = EventPrinter(topics: [], isReadable: true)
        do {
            for try await message in connection.messages {
                switch message {
                case .text(let text): try await receive(ServerMessage(text), printer)
                case .close(let close):
                    await finish(close)
                    return close
                case .binary, .ping, .pong: break
                }
            }
        } catch {
            // No command may keep waiting for an answer.
            await finish(WebSocketClose(code: WebSocketClose.abnormal))
            throw error
        }
        return WebSocketClose(code: WebSocketClose.abnormal)
    }

    private func receive(_ message: ServerMessage, _ printer: EventPrinter) async throws {
        if renewal.handle(message) { return }
        switch message {
        case .event(let event):
            try await screen.show(printer.readableLine(for: event))
        case .info(let info) where info.message == "messages_dropped":
            let messages = counted(info.dropped ?? 0, "message")
            try await screen.show("\(messages) of \(info.topic ?? "a topic") dropped: this reader is too slow")
        case .info(let info) where info.message == "topic_deleted":
            try await screen.show("topic \(info.topic ?? "") was deleted")
        case .info(let info) where info.message == "unsubscribed":
            try await screen.show("unsubscribed from \(info.topic ?? "") (\(info.reason ?? ""))")
        case .error(let error) where error.requestID == nil:
            try await screen.show("error: \(CommandFailure(error, topic: nil, hints: false).message)")
        case .ack, .pong, .error:
            guard let id = message.requestID else { break }
            // Printed here instead of where the answer is awaited, so that it comes before the events that follow it.
            if case .ack = message, let success = pending[id]?.success { try await screen.show(success) }
            answer(id, .success(message))
        case .info, .unknown:
            break
        }
    }

    private func finish(_ close: WebSocketClose) {
        end = close
        let error = ClientError(.closed, CommandFailure(close).message)
        for id in Array(pending.keys) { answer(id, .failure(error)) }
    }

    /// Closes the connection after everything that the server has sent so far is printed.
    func close() async {
        _ = try? await request(.ping)
        await connection.close(timeout: .seconds(2))
    }
}

extension ClientCommand {
    /// The command's topic, if it has one.
    fileprivate var topic: String? {
        switch self {
        case .subscribe(let topic, _, _), .unsubscribe(let topic, _), .publish(let topic, _, _): topic
        case .ping, .auth, .token: nil
        }
    }
}
