import ApusClient
import ApusProtocol
import NIOCore

extension VerifyPublisher {
    /// The most commands in one write.
    private static let burst = 16

    /// Publishes over one connection, many commands at a time, until it breaks, it is time to move, or publishing is
    /// over.
    ///
    /// - Returns: whether everything that was sent was stored.
    func publish(_ visit: Visit, pace: inout Pace, _ streams: inout PublishStreams) async throws -> Bool {
        let connection = try await WebSocketConnection.connect(
            to: visit.address,
            configuration: settings.credential.configuration()
        )
        let window = PublishWindow()
        defer { control.update { $0.unanswered += window.unanswered } }
        let answers = Task { await receiveAnswers(connection, window) }
        defer { answers.cancel() }
        var isWhole = true
        while control.phase == .publishing, !window.isOver, !visit.isOver, !Task.isCancelled {
            var texts: [String] = []
            while texts.count < Self.burst, !window.isFull, let send = pace.next(now: .now()) {
                let pending = streams.take(send)
                guard try await waitForRoom(pending) else {
                    // Its place in the stream stays empty.
                    isWhole = false
                    break
                }
                let number = window.add(pending)
                texts.append(command(pending, number: number, messages: streams.messages(pending, send)))
            }
            if texts.isEmpty {
                try await Task.sleep(for: .milliseconds(1))
            } else {
                try await connection.send(texts: texts)
            }
        }
        let deadline = NIODeadline.now() + .seconds(10)
        _ = try await control.wait(until: deadline) { window.isEmpty || window.isBroken }
        await connection.close(timeout: .seconds(1))
        // Answers that arrive until the end count.
        await answers.value
        return isWhole && window.isEmpty && !window.isRefused
    }

    private func command(
        _ pending: PublishWindow.Pending,
        number: Int,
        messages: [(id: String, payload: String)]
    ) -> String {
        let messages = messages.map { PublishCommand.Message(id: $0.id, payload: $0.payload) }
        let content: PublishCommand.Content = pending.isBatch ? .batch(messages) : .message(messages[0])
        return PublishCommand(topic: records[pending.topic].name, content: content).text(requestID: "\(number)")
    }

    private func receiveAnswers(_ connection: WebSocketConnection, _ window: PublishWindow) async {
        defer { window.breakOff() }
        while let messages = try? await connection.receiveBatch(), !messages.isEmpty {
            for case .text(let text) in messages { answered(text, window) }
        }
    }

    private func answered(_ text: String, _ window: PublishWindow) {
        guard let members = JSONText(unchecked: text).members, let type = members["type"]?.stringValue,
            type == "ack" || type == "error"
        else { return }
        let request = members["request_id"]?.stringValue
        // An error that answers no command announces the end of the connection.
        if type == "error", request == nil { return }
        guard let pending = window.answered(requestID: request) else {
            control.update { $0.counts.faults += 1 }
            control.report("publisher \(number): an answer to nothing, or out of turn: \(text.prefix(200))")
            return
        }
        if type == "ack" { return stored(pending, members) }
        let code = members["error"]?.members?["code"]?.stringValue ?? "?"
        window.refused(code: code)
        refused(pending, code: code)
    }
}
