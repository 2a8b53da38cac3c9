import ApusProtocol
import ApusSockets
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1

@testable import ApusServer

/// An HTTP connection without a socket, whose clock goes on when it is told to.
///
/// The test plays the client, and the router.
final class EmbeddedHTTP {
    let loop = EmbeddedEventLoop()
    let gate: ScriptedGate
    let registry = MetricsRegistry()
    /// What the router gets, and how it answers.
    let route = ScriptedRoute()
    let handler: HTTPConnectionHandler
    private let channel: EmbeddedChannel
    private let wire = Wire()
    private let inFlight = RequestSlot()

    init(
        request: TimeAmount = .seconds(10),
        close: TimeAmount = .seconds(30),
        idle: TimeAmount? = .seconds(75),
        staysForDrain: Bool = true
    ) throws {
        gate = ScriptedGate(eventLoop: loop)
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 8080)
        channel = EmbeddedChannel(loop: loop)
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        handler = HTTPConnectionHandler(
            timeouts: HTTPConnectionState.Timeouts(request: request, close: close, idle: idle),
            staysForDrain: staysForDrain,
            caller: Caller(address: PeerAddress(address)),
            gate: gate,
            log: RequestLog(logger: logger, metrics: RequestMetrics(registry: registry), basePath: BasePath(""))
        ) { [channel, route, inFlight] request in
            inFlight.value = request
            try channel.pipeline.syncOperations.addHandler(route)
        }
        try channel.pipeline.syncOperations.addHandler(wire)
        try handler.add(to: channel.pipeline.syncOperations)
        channel.connect(to: address, promise: nil)
    }

    deinit {
        wire.cut()
        loop.run()
    }

    /// The request in flight; `nil` before the first.
    var request: InFlightRequest? { inFlight.value }

    // MARK: The client

    func send(_ text: String) throws {
        try channel.writeInbound(ByteBuffer(string: text))
        loop.run()
    }

    /// The client closes its sending side.
    func halfClose() {
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        loop.run()
    }

    /// The connection is gone.
    func disconnect() {
        channel.close(promise: nil)
        loop.run()
    }

    /// What came since the last time.
    func received() throws -> String {
        loop.run()
        var text = ""
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
        return text
    }

    /// The statuses of what came.
    func statuses() throws -> [String] {
        try received().split(separator: "HTTP/1.").map { String($0.dropFirst(2).prefix(3)) }
    }

    /// What the server closed: `output`, `all`.
    var closes: [String] { wire.closes }

    // MARK: The server

    /// Time passes, and the second look at deadlines with it.
    func advance(_ time: TimeAmount) {
        loop.advanceTime(by: time)
        loop.advanceTime(by: HTTPConnectionHandler.secondLook)
    }

    func quiesce() {
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        loop.run()
    }
}

/// Holds the request that the handler passes on.
private final class RequestSlot {
    var value: InFlightRequest?
}

/// The end of the pipeline at the socket. An embedded channel knows no half-closed state, so the server's direction
/// closes here.
private final class Wire: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    private(set) var closes: [String] = []
    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    /// Ends the connection without asking the handlers, which would wait for their deadlines.
    func cut() {
        context?.close(promise: nil)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        closes.append("\(mode)")
        if mode == .all { context.close(promise: promise) } else { promise?.succeed() }
    }
}

/// A router that notes what it gets, and answers when it is told to.
final class ScriptedRoute: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private var context: ChannelHandlerContext?
    /// `GET /a`, `body 5`, `end`, `fault 400 BAD_REQUEST`, `no more`.
    private(set) var seen: [String] = []

    func takeSeen() -> [String] {
        defer { seen = [] }
        return seen
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): seen.append("\(head.method.rawValue) \(head.uri)")
        case .body(let bytes): seen.append("body \(bytes.readableBytes)")
        case .end: seen.append("end")
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        seen.append((error as? Problem).map { "fault \($0.code.status)" } ?? "error")
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { seen.append("no more") }
    }

    /// Answers the request in flight with a body, whose size the head has.
    func answer(_ status: HTTPResponseStatus = .ok, _ body: String = "", _ fields: HTTPHeaders = [:]) {
        begin(status, body, fields)
        end()
    }

    /// Begins an answer.
    func begin(_ status: HTTPResponseStatus = .ok, _ body: String = "", _ fields: HTTPHeaders = [:]) {
        var fields = fields
        if status != .noContent { fields.add(name: "Content-Length", value: "\(body.utf8.count)") }
        write(.head(HTTPResponseHead(version: .http1_1, status: status, headers: fields)))
        if !body.isEmpty { write(.body(.byteBuffer(ByteBuffer(string: body)))) }
    }

    func end() {
        write(.end(nil))
    }

    /// The router has nothing more to write.
    func closeOutput() {
        context?.close(mode: .output, promise: nil)
    }

    private func write(_ part: HTTPServerResponsePart) {
        context?.writeAndFlush(wrapOutboundOut(part), promise: nil)
    }
}
