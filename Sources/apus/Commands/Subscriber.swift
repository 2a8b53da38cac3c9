import ApusClient
import ArgumentParser
import NIOCore

/// Subscribes to topics on one connection and hands the events to a printer.
struct Subscriber: Sendable {
    let connection: WebSocketConnection
    let topics: [String]
    let clientID: String
    let printer: EventPrinter

    /// Ends after `limit` events; throws when the server refuses a topic or ends the connection.
    func run(last: Int, limit: Int?) async throws {
        let commands = topics.enumerated().map { index, topic in
            ClientCommand.subscribe(topic: topic, clientID: clientID, lastN: last).text(requestID: "\(index)")
        }
        try await connection.send(texts: commands)
        var live = Set(topics)
        var left = limit ?? Int.max
        while left > 0 {
            // Everything that is there goes out in one write, so a line waits for no other.
            let messages = try await connection.receiveBatch()
            if messages.isEmpty { throw CommandFailure("the server closed the connection") }
            var output = ByteBuffer()
            do {
                for message in messages where left > 0 {
                    try handle(message, output: &output, live: &live, left: &left)
                }
            } catch {
                try await StandardOutput.write(output)
                throw error
            }
            if output.readableBytes > 0 { try await StandardOutput.write(output) }
        }
    }

    /// Tells the server that nothing more is wanted; what it says to that is not waited for.
    func unsubscribe() async {
        try? await connection.send(
            texts: topics.map { ClientCommand.unsubscribe(topic: $0, clientID: clientID).text() }
        )
    }

    private func handle(
        _ message: WebSocketMessage,
        output: inout ByteBuffer,
        live: inout Set<String>,
        left: inout Int
    ) throws {
        switch message {
        case .text(let text):
            switch try ServerMessage(text) {
            case .event(let event):
                output.writeString(printer.line(for: event, text: text))
                left -= 1
            case .error(let error):
                let index = error.requestID.flatMap { Int($0) }
                let failure = CommandFailure(
                    error,
                    topic: index.flatMap { topics.indices.contains($0) ? topics[$0] : nil }
                )
                // What answers no command announces the close that follows, which says it again.
                if error.requestID == nil, failure.exitCode == .failure { return SubCommand.say(failure.message) }
                throw failure
            case .info(let info):
                try handle(info, live: &live)
            case .ack, .pong, .unknown:
                break
            }
        case .close(let close):
            throw CommandFailure(close)
        case .binary, .ping, .pong:
            break
        }
    }

    private func handle(_ info: ServerMessage.Info, live: inout Set<String>) throws {
        switch (info.message, info.topic) {
        case ("messages_dropped", let topic?):
            SubCommand.say("\(counted(info.dropped ?? 0, "message")) of '\(topic)' dropped: this reader is too slow")
        case ("topic_deleted", let topic?):
            live.remove(topic)
            if live.isEmpty {
                throw CommandFailure("topic '\(topic)' was deleted; nothing is left to wait for")
            }
            SubCommand.say("topic '\(topic)' was deleted")
        default:
            break
        }
    }
}

/// Turns events into lines: for people, or as they came.
struct EventPrinter: Sendable {
    private let topicWidth: Int
    private let isReadable: Bool

    init(topics: [String], isReadable: Bool) {
        topicWidth = topics.map(\.count).max() ?? 0
        self.isReadable = isReadable
    }

    /// The line for an event that came as `text`.
    func line(for event: ServerMessage.Event, text: String) -> String {
        if isReadable { return readableLine(for: event) + "\n" }
        // Between its tokens a payload may hold line ends as published; one event stays one line.
        guard text.utf8.contains(where: { $0 == 0x0A || $0 == 0x0D }) else { return text + "\n" }
        return String(text.map { $0.isNewline && $0.isASCII ? " " : $0 }) + "\n"
    }

    /// `10:00:00.123 orders  {"x":1}`.
    func readableLine(for event: ServerMessage.Event) -> String {
        let topic = Terminal.printable(event.topic)
        let padding = String(repeating: " ", count: max(0, topicWidth - topic.count))
        return Terminal.styled(Self.clock(event.time), .dim) + " " + Terminal.styled(topic, .cyan) + padding + "  "
            + Terminal.printable(event.payload.text)
    }

    /// The time of day in an RFC 3339 time.
    static func clock(_ time: String) -> String {
        guard let start = time.firstIndex(of: "T") else { return Terminal.printable(time) }
        return Terminal.printable(String(time[start...].dropFirst().prefix { $0 != "Z" && $0 != "+" && $0 != "-" }))
    }
}
