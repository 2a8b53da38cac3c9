public import NIOCore
import NIOPosix
public import NIOWebSocket

/// A client's WebSocket connection.
///
/// Any task may send and receive. Messages that nobody takes are kept up to the configuration's bounds; then the
/// socket is no longer read. The connection closes abruptly when its last reference goes away, so end it with
/// `close`.
public final class WebSocketConnection: Sendable {
    /// How a connection is made, and the bounds of what it keeps.
    public struct Configuration: Sendable {
        /// Sent as `X-API-Key` with the handshake.
        public var apiKey: String?
        /// Further headers of the handshake.
        public var headers: [(name: String, value: String)] = []
        /// What follows the path after a `?`, as it is to be sent.
        public var query: String?
        /// How long connecting, TLS and the handshake may take together.
        public var connectTimeout: TimeAmount = .seconds(10)
        /// The largest frame and the largest message taken.
        public var maxMessageBytes = 16 << 20
        /// At most this many messages are kept for the receiver.
        public var inboxMessages = 256
        /// At most about this many bytes are kept for the receiver.
        public var inboxBytes = 4 << 20
        /// A server that was silent for this long is pinged, and the connection is taken for broken when it stays so
        /// for as long again; nil is never.
        public var idleTimeout: TimeAmount?
        /// Whether pings are answered; a test may want not to.
        public var answersPings = true
        /// Whether pings and pongs are delivered.
        public var deliversControlFrames = false
        /// The kernel's receive buffer (SO_RCVBUF); a test of slow readers wants a small one.
        public var receiveBufferBytes: Int?

        /// The defaults, with a key if there is one.
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

    /// Sends a text message and waits until the socket has taken it.
    public func send(text: String) async throws(ClientError) {
        try await send(texts: CollectionOfOne(text))
    }

    /// Sends text messages in one write and waits until the socket has taken them.
    public func send(texts: some Collection<String> & Sendable) async throws(ClientError) {
        for text in texts.dropLast() {
            channel.write(frame(.text, ByteBuffer(string: text)), promise: nil)
        }
        guard let last = texts.reversed().first else { return }
        try await written(channel.writeAndFlush(frame(.text, ByteBuffer(string: last))))
    }

    /// Sends text messages in one write and does not wait; what cannot be sent is lost with the connection.
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

    /// Sends bytes past the WebSocket encoder, for frames that no encoder would make.
    public func sendRaw(_ bytes: ByteBuffer) async throws(ClientError) {
        let channel = channel
        try await written(
            channel.eventLoop.flatSubmit {
                do {
                    let encoder = try channel.pipeline.syncOperations.context(handlerType: WebSocketFrameEncoder.self)
                    // A write at the encoder's context goes on to the handlers before it.
                    return encoder.writeAndFlush(NIOAny(bytes))
                } catch {
                    return channel.eventLoop.makeFailedFuture(error)
                }
            }
        )
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

    /// The next message; nil after the end.
    ///
    /// The last one is a `close`, also when the connection just broke (code 1006). Throws `protocolViolation` when
    /// the server broke the protocol and `cancelled` when the task is cancelled.
    public func receive() async throws(ClientError) -> WebSocketMessage? {
        try await inbox.take(limit: 1).first
    }

    /// Waits for messages and takes those that are there, at most `limit`; none after the end.
    public func receiveBatch(limit: Int = 64) async throws(ClientError) -> [WebSocketMessage] {
        try await inbox.take(limit: limit)
    }

    /// The messages from here to the end. Two loops over it share them.
    public var messages: Messages { Messages(connection: self) }

    /// The messages of a connection until its end.
    public struct Messages: AsyncSequence, Sendable {
        // Held so that the connection lives at least as long as a loop over it.
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

    /// Does the close handshake: sends a close frame and waits for the server's and the end of TCP, at most for
    /// `timeout`.
    ///
    /// Messages that come in until then can still be received.
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
