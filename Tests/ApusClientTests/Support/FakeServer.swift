import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import Synchronization
import Testing

@testable import ApusClient

/// A WebSocket server that says what a test tells it to say.
///
/// It takes every handshake; the test then picks up the connections in the order in which they came.
final class FakeServer: Sendable {
    let address: ServerAddress
    private let connections: Mailbox<FakeConnection>

    private init(port: Int, connections: Mailbox<FakeConnection>) {
        self.connections = connections
        address = ServerAddress(host: "127.0.0.1", port: port)
    }

    /// Runs a server on a free port while `body` runs.
    static func run<Result: Sendable>(
        sendBuffer: Int? = nil,
        isolation: isolated (any Actor)? = #isolation,
        _ body: (FakeServer) async throws -> Result
    ) async throws -> Result {
        let connections = Mailbox<FakeConnection>()
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                let upgrader = NIOWebSocketServerUpgrader(
                    maxFrameSize: 1 << 24,
                    shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture([:]) },
                    upgradePipelineHandler: { channel, head in
                        channel.eventLoop.makeCompletedFuture {
                            let handler = FakeConnection.Handler()
                            try channel.pipeline.syncOperations.addHandler(handler)
                            connections.put(FakeConnection(channel, handler, head.headers))
                        }
                    }
                )
                return channel.pipeline.configureHTTPServerPipeline(
                    withServerUpgrade: (upgraders: [upgrader], completionHandler: { _ in })
                )
            }
        let sized = sendBuffer.map { bytes in
            bootstrap.childChannelOption(.socketOption(.so_sndbuf), value: SocketOptionValue(bytes))
        }
        let channel = try await (sized ?? bootstrap).bind(host: "127.0.0.1", port: 0).get()
        let server = FakeServer(port: channel.localAddress?.port ?? 0, connections: connections)
        do {
            let result = try await body(server)
            try await channel.close()
            return result
        } catch {
            try await channel.close()
            throw error
        }
    }

    /// The next connection that a client makes.
    func accept() async throws -> FakeConnection {
        try await connections.next()
    }
}

/// The server's end of one connection.
final class FakeConnection: Sendable {
    private let channel: any Channel
    private let texts: Mailbox<String>
    private let fullness: Mailbox<Void>
    private let answersPings: AnswersPings
    private let unsent = Count()
    /// Those of the handshake.
    let headers: HTTPHeaders

    fileprivate init(_ channel: any Channel, _ handler: Handler, _ headers: HTTPHeaders) {
        self.channel = channel
        self.headers = headers
        texts = handler.texts
        fullness = handler.fullness
        answersPings = handler.answersPings
    }

    /// Gives no sign of life any more.
    func ignorePings() {
        answersPings.value.withLock { $0 = false }
    }

    /// The next command, by its members.
    func command() async throws -> [String: String] {
        let text = try await texts.next()
        let members = try #require(JSONText(parsing: text)?.members)
        return members.mapValues { $0.stringValue ?? $0.text }
    }

    /// Waits until the client has not read for so long that the socket is full.
    func waitUntilFull() async throws {
        try await fullness.next()
    }

    /// Hands text messages to the socket without waiting for it.
    func send(_ texts: String...) {
        send(texts)
    }

    func send(_ texts: [String]) {
        let unsent = unsent
        unsent.value.add(texts.count, ordering: .relaxed)
        for text in texts {
            let written = channel.eventLoop.makePromise(of: Void.self)
            written.futureResult.whenSuccess { unsent.value.subtract(1, ordering: .relaxed) }
            channel.write(frame(.text, ByteBuffer(string: text)), promise: written)
        }
        channel.flush()
    }

    /// How many messages the socket has not taken yet.
    var unsentMessages: Int { unsent.value.load(ordering: .relaxed) }

    /// Sends a close frame and ends TCP.
    func close(_ code: UInt16, _ reason: String = "") async throws {
        var data = ByteBuffer()
        data.writeInteger(code)
        data.writeString(reason)
        try await channel.writeAndFlush(frame(.connectionClose, data))
        await drop()
    }

    /// From now on, takes no more than the system's buffers do.
    func stopReading() async throws {
        try await channel.setOption(.autoRead, value: false).get()
    }

    /// Ends TCP without a close frame.
    func drop() async {
        // The client may have done it first.
        try? await channel.close()
    }

    private func frame(_ opcode: WebSocketOpcode, _ data: ByteBuffer) -> WebSocketFrame {
        WebSocketFrame(fin: true, opcode: opcode, data: data)
    }

    private final class Count: Sendable {
        let value = Atomic(0)
    }

    fileprivate final class AnswersPings: Sendable {
        let value = Mutex(true)
    }

    /// Text messages out of frames, and when the socket is full.
    fileprivate final class Handler: ChannelInboundHandler {
        typealias InboundIn = WebSocketFrame
        typealias OutboundOut = WebSocketFrame

        let texts = Mailbox<String>()
        let fullness = Mailbox<Void>()
        let answersPings = AnswersPings()

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let frame = unwrapInboundIn(data)
            switch frame.opcode {
            case .text:
                texts.put(String(buffer: frame.unmaskedData))
            case .ping where answersPings.value.withLock({ $0 }):
                let pong = WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData)
                context.writeAndFlush(wrapOutboundOut(pong), promise: nil)
            case .connectionClose:
                let answer = WebSocketFrame(fin: true, opcode: .connectionClose, data: frame.unmaskedData)
                context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
                context.close(promise: nil)
            default:
                break
            }
        }

        func channelWritabilityChanged(context: ChannelHandlerContext) {
            if !context.channel.isWritable { fullness.put(()) }
        }

        func channelInactive(context: ChannelHandlerContext) {
            texts.finish()
            fullness.finish()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}
