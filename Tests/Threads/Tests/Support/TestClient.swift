import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

/// A client on a real socket that speaks in numbers: each message's payload is one. Gone with its last reference.
final class TestClient: Sendable {
    private static let id = "550e8400-e29b-41d4-a716-446655440000"
    private let channel: any Channel
    private let inbox: NIOLoopBound<Inbox>

    /// - Parameters:
    ///   - inbox: how many messages it takes off its socket before anybody wants them.
    ///   - receiveBuffer: the kernel's buffer, for slow readers.
    init(port: Int, inbox capacity: Int = 1024, receiveBuffer: Int? = nil) async throws {
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        if let receiveBuffer {
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: SocketOptionValue(receiveBuffer))
        }
        let upgrade = try await bootstrap.connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture { try Self.upgrade(channel, capacity: capacity) }
        }
        (channel, inbox) = try await upgrade.get()
    }

    deinit { channel.close(promise: nil) }

    private typealias Upgraded = (channel: any Channel, inbox: NIOLoopBound<Inbox>)

    private static func upgrade(_ channel: any Channel, capacity: Int) throws -> EventLoopFuture<Upgraded> {
        let upgrader = NIOTypedWebSocketClientUpgrader<Upgraded>(maxFrameSize: 1 << 20) { channel, _ in
            channel.eventLoop.makeCompletedFuture {
                let inbox = Inbox(capacity: capacity)
                try channel.pipeline.syncOperations.addHandler(inbox)
                return (channel, NIOLoopBound(inbox, eventLoop: channel.eventLoop))
            }
        }
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/ws", headers: ["Host": "127.0.0.1"])
        var configuration = NIOUpgradableHTTPClientPipelineConfiguration(
            upgradeConfiguration: NIOTypedHTTPClientUpgradeConfiguration(
                upgradeRequestHead: head,
                upgraders: [upgrader],
                notUpgradingCompletionHandler: { channel in
                    channel.eventLoop.makeFailedFuture(Unexpected(message: "no upgrade"))
                }
            )
        )
        // The server's first frames may come in the same segment as its 101.
        configuration.leftOverBytesStrategy = .forwardBytes
        return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(configuration: configuration)
    }

    /// What comes in, as far as these tests tell it apart.
    enum Message: Equatable {
        case ack
        case event(Int)
        case other(String)

        init(_ text: String) {
            if text.hasPrefix(#"{"type":"ack""#) {
                self = .ack
            } else if text.hasPrefix(#"{"type":"event""#), let number = Self.number(in: text) {
                self = .event(number)
            } else {
                self = .other(text)
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
        try await send([
            #"{"type":"subscribe","topic":"\#(topic)","client_id":"\#(clientID)","last_n":\#(lastN)}"#
        ])
    }

    func unsubscribe(_ topic: String, as clientID: String = "c") async throws {
        try await send([#"{"type":"unsubscribe","topic":"\#(topic)","client_id":"\#(clientID)"}"#])
    }

    /// Publishes numbers in one write; `padding` spaces make each message larger.
    func publish(_ numbers: some Sequence<Int> & Sendable, to topic: String, padding: Int = 0) async throws {
        let spaces = String(repeating: " ", count: padding)
        try await send(
            numbers.map {
                #"{"type":"publish","topic":"\#(topic)","message":{"id":"\#(Self.id)","payload":\#($0)\#(spaces)}}"#
            }
        )
    }

    /// Publishes numbers, no more than `window` of them without an ack at any time.
    func publish(_ numbers: Range<Int>, to topic: String, padding: Int = 0, window: Int) async throws {
        for start in stride(from: numbers.lowerBound, to: numbers.upperBound, by: window) {
            let part = start..<min(start + window, numbers.upperBound)
            try await publish(part, to: topic, padding: padding)
            try await expectAcks(part.count)
        }
    }

    /// Sends texts in one write and waits until the socket has taken them.
    private func send(_ texts: [String]) async throws {
        for text in texts.dropLast() {
            channel.write(WebSocketFrame.client(.text, ByteBuffer(string: text)), promise: nil)
        }
        guard let last = texts.last else { return }
        try await channel.writeAndFlush(WebSocketFrame.client(.text, ByteBuffer(string: last)))
    }

    // MARK: What comes in

    /// Waits for messages and takes those that are there.
    func receive(limit: Int = 256) async throws -> [Message] {
        let messages = try await withTaskCancellationHandler {
            try await channel.eventLoop.flatSubmit { [inbox] in
                inbox.value.take(limit, on: inbox.eventLoop)
            }.get()
        } onCancel: {
            channel.close(promise: nil)
        }
        guard !messages.isEmpty else { throw Unexpected(message: "the end") }
        return messages
    }

    /// The next message.
    func next() async throws -> Message { try await receive(limit: 1)[0] }

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

    func close() async {
        channel.eventLoop.execute { [inbox] in inbox.value.leave() }
        try? await channel.closeFuture.get()
    }

    struct Unexpected: Error {
        let message: String
    }
}
