public import NIOCore
import NIOPosix
public import NIOWebSocket

/// A client's WebSocket connection.
///
/// Any task may send and receive. Messages wait for a receiver up to the configuration's limits; then the client stops
/// reading the socket. The connection closes abruptly when its last reference is released, so end it with `close`.
public final class WebSocketConnection: Sendable {
    /// How to connect, and the limits of the connection's buffers.
    public struct Configuration: Sendable {
        /// The API key, sent as `X-API-Key` with the handshake.
        public var apiKey: String?
        /// The token (JWT), sent as `Authorization: Bearer` with the handshake. Without effect if there is an API key.
        public var token: String?
        /// Additional headers of the handshake.
        public var headers: [(name: String, value: String)] = []
        /// The query after the path's `?`, already encoded.
        public var query: String?
        /// How long connecting, TLS and the handshake may take together.
        public var connectTimeout: TimeAmount = .seconds(10)
        /// The largest accepted frame and message, in bytes.
        public var maxMessageBytes = 16 << 20
        /// How many messages may wait for the receiver.
        public var inboxMessages = 256
        /// The approximate size of the waiting messages, in bytes.
        public var inboxBytes = 4 << 20
        /// After this time without input, the client pings the server. After the same time without a response, the
        /// connection counts as broken. `nil` means never.
        public var idleTimeout: TimeAmount?
        /// Whether pings and pongs are delivered.
        public var deliversControlFrames = false
        /// The size of the kernel's receive buffer (SO_RCVBUF), in bytes. Tests of slow readers use a small one.
        public var receiveBufferBytes: Int?

        /// Creates a default configuration, with an optional API key.
        public init(apiKey: String? = nil) {
            self.apiKey = apiKey
        }
    }

    private let channel: any Channel
    private let inbox: WebSocketInbox

    init(channel: any Channel, inbox: WebSocketInbox) {
        self.channel = channel
        self.inbox = inbox
    }

    deinit {
        channel.close(promise: nil)
    }

    // MARK: Sending

    /// Sends a text message, and waits until the socket has accepted it.
    public func send(text: String) async throws(ClientError) {
        try await send(texts: CollectionOfOne(text))
    }

    /// Sends text messages in one write, and waits until the socket has accepted them.
    public func send(texts: some Collection<String> & Sendable) async throws(ClientError) {
        for text in texts.dropLast() {
            channel.write(frame(.text, ByteBuffer(string: text)), promise: nil)
        }
        guard let last = texts.reversed().first else { return }
        try await written(channel.writeAndFlush(frame(.text, ByteBuffer(string: last))))
    }

    /// Sends text messages in one write without waiting. Messages that cannot be sent are lost with the connection.
    func post(texts: [String]) {
        for text in texts { channel.write(frame(.text, ByteBuffer(string: text)), promise: nil) }
        channel.flush()
    }

    /// Sends one frame as it is, valid or not.
    public func sendFrame(
        opcode: WebSocketOpcode,
        fin: Bool = true,
        rsv1: Bool = false,
        isMasked: Bool = true,
        data: ByteBuffer = ByteBuffer()
    ) async throws(ClientError) {
        var frame = WebSocketFrame(fin: fin, opcode: opcode, maskKey: isMasked ? .random() : nil, data: data)
        frame.rsv1 = rsv1
        try await written(channel.writeAndFlush(frame))
    }

    private func frame(_ opcode: WebSocketOpcode, _ data: ByteBuffer) -> WebSocketFrame {
        WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
    }

    private func written(_ future: EventLoopFuture<Void>) async throws(ClientError) {
        do {
            try await future.get()
        } catch {
            throw ClientError(.closed, "the connection is closed", cause: error)
        }
    }

    // MARK: Receiving

    /// The next message; `nil` after the end.
    ///
    /// The last message is a `close`, even if the connection broke (code 1006). Throws `protocolViolation` if the
    /// server violated the protocol, and `cancelled` if the task is cancelled.
    public func receive() async throws(ClientError) -> WebSocketMessage? {
        try await inbox.take(limit: 1).first
    }

    /// Waits for messages and takes at most `limit` of them; returns none after the end.
    public func receiveBatch(limit: Int = 64) async throws(ClientError) -> [WebSocketMessage] {
        try await inbox.take(limit: limit)
    }

    /// The messages from now to the end. Two loops over the sequence share the messages.
    public var messages: Messages { Messages(connection: self) }

    /// The messages of a connection until its end.
    public struct Messages: AsyncSequence, Sendable {
        // Keeps the connection alive at least as long as a loop over it.
        fileprivate let connection: WebSocketConnection

        public struct AsyncIterator: AsyncIteratorProtocol {
            fileprivate let connection: WebSocketConnection

            public mutating func next() async throws(ClientError) -> WebSocketMessage? {
                try await connection.receive()
            }

            public mutating func next(
                isolation actor: isolated (any Actor)?
            ) async throws(ClientError) -> WebSocketMessage? {
                try await connection.receive()
            }
        }

        public func makeAsyncIterator() -> AsyncIterator {
            AsyncIterator(connection: connection)
        }
    }

    // MARK: Closing

    /// Does the close handshake: sends a close frame, and waits at most `timeout` for the server's close frame and the
    /// end of TCP.
    ///
    /// Messages that arrive until then can still be received.
    public func close(
        code: UInt16 = WebSocketClose.normal,
        reason: String = "",
        timeout: TimeAmount = .seconds(5)
    ) async {
        var data = ByteBuffer()
        data.writeInteger(code)
        data.writeString(reason)
        channel.writeAndFlush(frame(.connectionClose, data), promise: nil)
        let channel = channel
        let deadline = channel.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
        _ = try? await channel.closeFuture.get()
        deadline.cancel()
    }

    /// Closes TCP without a close frame.
    public func abort() async {
        channel.close(promise: nil)
        _ = try? await channel.closeFuture.get()
    }
}
