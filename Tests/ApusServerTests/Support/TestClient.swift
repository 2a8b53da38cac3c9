import ApusClient
import NIOCore

/// A client on a real socket that speaks in numbers: each message's payload is one.
struct TestClient: Sendable {
    static let id = "550e8400-e29b-41d4-a716-446655440000"
    private let connection: WebSocketConnection

    /// - Parameters:
    ///   - inbox: how many messages it takes off its socket before anybody wants them.
    ///   - receiveBuffer: the kernel's buffer, for slow readers.
    init(port: Int, inbox: Int = 1024, receiveBuffer: Int? = nil) async throws {
        var configuration = WebSocketConnection.Configuration()
        configuration.inboxMessages = inbox
        configuration.receiveBufferBytes = receiveBuffer
        connection = try await WebSocketConnection.connect(
            to: ServerAddress(host: "127.0.0.1", port: port),
            configuration: configuration
        )
    }

    /// What comes in, as far as these tests tell it apart.
    enum Message: Equatable {
        case ack
        case event(Int)
        case error(String)
        case info(String)
        case other(String)

        init(_ text: String) {
            if text.hasPrefix(#"{"type":"ack""#) {
                self = .ack
            } else if text.hasPrefix(#"{"type":"event""#), let number = Self.number(in: text) {
                self = .event(number)
            } else {
                self =
                    switch try? ServerMessage(text) {
                    case .error(let error): .error(error.code)
                    case .info(let info): .info(info.message)
                    default: .other(text)
                    }
            }
        }

        /// The payload, read from the end: digits, padding, `}`, and the time, which has a fixed size.
        private static func number(in text: String) -> Int? {
            var number: Int?
            var place = 1
            for byte in text.utf8.dropLast(#"},"ts":"2025-08-25T10:00:00.123Z"}"#.utf8.count).reversed() {
                if byte == UInt8(ascii: " "), number == nil { continue }
                guard (48...57).contains(byte) else { break }
                number = (number ?? 0) + Int(byte - 48) * place
                place *= 10
            }
            return number
        }
    }

    // MARK: Commands

    func subscribe(_ topic: String, as clientID: String = "c", lastN: Int = 0) async throws {
        try await connection.send(
            text: #"{"type":"subscribe","topic":"\#(topic)","client_id":"\#(clientID)","last_n":\#(lastN)}"#
        )
    }

    func unsubscribe(_ topic: String, as clientID: String = "c") async throws {
        try await connection.send(text: #"{"type":"unsubscribe","topic":"\#(topic)","client_id":"\#(clientID)"}"#)
    }

    /// Publishes numbers in one write; `padding` spaces make each message larger.
    func publish(_ numbers: some Sequence<Int> & Sendable, to topic: String, padding: Int = 0) async throws {
        let spaces = String(repeating: " ", count: padding)
        let texts = numbers.map {
            #"{"type":"publish","topic":"\#(topic)","message":{"id":"\#(Self.id)","payload":\#($0)\#(spaces)}}"#
        }
        try await connection.send(texts: texts)
    }

    /// Publishes numbers, no more than `window` of them without an ack at any time.
    func publish(_ numbers: Range<Int>, to topic: String, padding: Int = 0, window: Int) async throws {
        for start in stride(from: numbers.lowerBound, to: numbers.upperBound, by: window) {
            let part = start..<min(start + window, numbers.upperBound)
            try await publish(part, to: topic, padding: padding)
            try await expectAcks(part.count)
        }
    }

    // MARK: What comes in

    /// Waits for messages; none at the end.
    func receive(limit: Int = 256) async throws -> [Message] {
        try await connection.receiveBatch(limit: limit).map { message in
            message.text.map(Message.init) ?? .other("\(message)")
        }
    }

    /// The next message.
    func next() async throws -> Message {
        guard let message = try await receive(limit: 1).first else { throw Unexpected(message: "the end") }
        return message
    }

    func expectAcks(_ count: Int) async throws {
        var missing = count
        while missing > 0 {
            for message in try await receive(limit: missing) {
                guard message == .ack else { throw Unexpected(message: "\(message)") }
                missing -= 1
            }
        }
    }

    /// Takes `count` events and nothing else.
    func events(_ count: Int, limit: Int = 256) async throws -> [Int] {
        var numbers: [Int] = []
        while numbers.count < count {
            for message in try await receive(limit: min(limit, count - numbers.count)) {
                guard case .event(let number) = message else { throw Unexpected(message: "\(message)") }
                numbers.append(number)
            }
        }
        return numbers
    }

    func close() async { await connection.close() }

    struct Unexpected: Error {
        let message: String
    }
}
