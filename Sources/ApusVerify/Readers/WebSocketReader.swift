import ApusClient
import ApusProtocol
import NIOCore

/// Reads a topic over a WebSocket in either dialect.
struct WebSocketReader: EventReader {
    let address: ServerAddress
    let credential: Credential
    let topic: String
    let clientID: String
    /// How many messages the server may queue for the subscription; `nil` for the server's own setting.
    let queue: Int?

    func read(
        after position: LogPosition?,
        plan: SessionPlan,
        handle: ([Arrival]) async throws -> Bool
    ) async throws {
        var configuration = try await credential.configuration()
        configuration.receiveBufferBytes = plan.receiveBufferBytes
        if plan.isSlow { configuration.inboxMessages = 16 }
        let connection = try await WebSocketConnection.connect(to: address, configuration: configuration)
        let end = plan.socketLife.map { life in
            Task {
                try await Task.sleep(for: .seconds(life))
                await connection.abort()
            }
        }
        defer { end?.cancel() }
        do {
            try await connection.send(text: subscribeCommand(after: position))
            if !plan.cutsAtOnce { try await receive(connection, plan: plan, handle: handle) }
        } catch let error as ClientError {
            // A broken socket is part of the test.
            if error.code != .closed { throw error }
        }
        await connection.abort()
    }

    private func receive(
        _ connection: WebSocketConnection,
        plan: SessionPlan,
        handle: ([Arrival]) async throws -> Bool
    ) async throws {
        while true {
            let messages = try await connection.receiveBatch(limit: batchLimit(plan))
            guard !messages.isEmpty else { return }
            var arrivals: [Arrival] = []
            for message in messages {
                switch message {
                case .text(let text):
                    if let arrival = Arrival(text: text, topic: topic) { arrivals.append(arrival) }
                case .close(let close):
                    arrivals.append(.ended(code: close.reason.isEmpty ? "\(close.code)" : close.reason))
                case .binary, .ping, .pong:
                    break
                }
            }
            guard try await handle(arrivals) else { return }
        }
    }

    func subscribeCommand(after position: LogPosition?) -> String {
        var command = SubscribeCommand(topic: topic, clientID: clientID)
        if let position {
            command.since = .position(epoch: position.epoch, offset: position.offset)
        } else {
            command.hasPositions = true
        }
        command.queue = queue
        return command.text(requestID: "s")
    }
}
