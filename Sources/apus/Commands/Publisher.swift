import ApusClient
import Foundation

/// Publishes messages and waits for their acks, many at a time.
///
/// At most `window` messages are unanswered; each holds a permit that its answer gives back. So memory stays
/// bounded by the window whatever the input's size, and all is answered once every permit is back.
struct Publisher: Sendable {
    static let maxLineBytes = 16 << 20
    private static let window = 64
    /// At most this many messages go into one write; less than the window, so that those sent can bring permits back.
    private static let batch = 16

    enum Source: Sendable {
        case single(String, id: String?)
        case lines(LineReader)
    }

    let connection: WebSocketConnection
    let topic: String
    let rule: PayloadRule

    private let progress = PublishProgress()

    init(connection: WebSocketConnection, topic: String, rule: PayloadRule) {
        self.connection = connection
        self.topic = topic
        self.rule = rule
    }

    /// Publishes everything; returns when all is answered.
    ///
    /// Throws when going on is useless: no such topic, no right, the connection lost, a line too long.
    func publish(_ source: Source) async throws -> PublishProgress.Summary {
        let (permits, answered) = AsyncStream.makeStream(of: Void.self)
        for _ in 0..<Self.window { answered.yield() }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await receiveAnswers(to: source, answered) }
            group.addTask {
                var permits = permits.makeAsyncIterator()
                try await send(source, permits: &permits)
                // With every permit in hand every message is answered.
                for _ in 0..<Self.window { await permits.next() }
            }
            // The receiver ends only by throwing, so whoever is first decides.
            try await group.next()
            group.cancelAll()
            return progress.summary
        }
    }

    // MARK: Sending

    private func send(_ source: Source, permits: inout AsyncStream<Void>.Iterator) async throws {
        switch source {
        case .single(let payload, let id):
            await permits.next()
            if let text = command(line: 1, payload: payload, id: id) { try await connection.send(text: text) }
        case .lines(var lines):
            try await send(&lines, permits: &permits)
        }
    }

    private func send(_ lines: inout LineReader, permits: inout AsyncStream<Void>.Iterator) async throws {
        var tooLong: LineReader.TooLong?
        var isAtEnd = false
        while !isAtEnd, tooLong == nil {
            var texts: [String] = []
            repeat {
                do {
                    guard let line = try await lines.next() else {
                        isAtEnd = true
                        break
                    }
                    guard let text = command(for: line) else { continue }
                    await permits.next()
                    texts.append(text)
                } catch let error as LineReader.TooLong {
                    tooLong = error
                    break
                }
            } while lines.hasLine && texts.count < Self.batch
            try Task.checkCancellation()
            try await connection.send(texts: texts)
        }
        if let tooLong {
            progress.refuse(line: tooLong.number, reason: "longer than 16 MiB; what follows was not published")
        }
    }

    private func command(for line: LineReader.Line) -> String? {
        guard let text = line.text else {
            progress.refuse(line: line.number, reason: "not UTF-8")
            return nil
        }
        guard !text.allSatisfy(\.isWhitespace) else { return nil }
        return command(line: line.number, payload: text, id: nil)
    }

    private func command(line: Int, payload: String, id: String?) -> String? {
        guard let payload = rule.payload(for: payload) else {
            progress.refuse(line: line, reason: "not JSON")
            return nil
        }
        let id = id ?? randomID()
        progress.sent(line: line)
        return ClientCommand.publish(topic: topic, id: id, payload: payload).text(requestID: "\(line)")
    }

    // MARK: Answers

    private func receiveAnswers(to source: Source, _ answered: AsyncStream<Void>.Continuation) async throws {
        while true {
            let messages = try await connection.receiveBatch()
            if messages.isEmpty { throw CommandFailure("the server closed the connection") }
            for message in messages {
                switch message {
                case .text(let text): try receive(ServerMessage(text), answered)
                case .close(let close): throw lost(close, source)
                case .binary, .ping, .pong: break
                }
            }
        }
    }

    private func receive(_ message: ServerMessage, _ answered: AsyncStream<Void>.Continuation) throws {
        switch message {
        case .ack:
            progress.acked()
            answered.yield()
        case .error(let error):
            if ["TOPIC_NOT_FOUND", "UNAUTHORIZED", "UNAVAILABLE"].contains(error.code) {
                // None of the rest would fare better.
                throw CommandFailure(error, topic: topic)
            }
            let line = error.requestID.flatMap { Int($0) }
            progress.refuse(line: line, reason: CommandFailure(error, topic: topic).message)
            answered.yield()
        case .event, .pong, .info, .unknown:
            break
        }
    }

    private func lost(_ close: WebSocketClose, _ source: Source) -> CommandFailure {
        let failure = CommandFailure(close)
        let (acked, firstOpen) = progress.open
        guard case .lines = source, let firstOpen else { return failure }
        return CommandFailure(
            "\(failure.message); \(acked) published, the first unanswered is line \(firstOpen)",
            exitCode: failure.exitCode
        )
    }
}
