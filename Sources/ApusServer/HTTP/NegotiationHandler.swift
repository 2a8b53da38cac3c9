import ApusProtocol
import ApusSockets
import HTTPTypes
import NIOCore
import NIOHTTP1

/// Looks at the requests of a connection for WebSocket handshakes: these are upgraded or refused here, anything else is for
/// the router.
///
/// ```
/// encoder ◄─┐
/// decoder ──┴─► NegotiationHandler ─► codec, Hummingbird's handlers
///                     └─► upgraded, or answered with an event stream: the socket leaves the channel
/// ```
/// A handshake that comes first on its connection hardly gets here: ``PendingConnection`` answers it. But it may be out of
/// the ordinary, or a proxy may send it on a connection that has carried requests before. NIO's own upgrade handlers only look at the first request, and lose one that asks for an upgrade in vain.
final class NegotiationHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    struct NotNegotiated: Error {}

    private enum State {
        /// For the first request.
        case waiting
        /// Requests go to the router; so many are not answered yet.
        case http(unanswered: Int)
        /// A valid handshake is there; its end has to follow.
        case upgrading(HTTPRequestHead, Handshake)
        /// Upgraded or refused.
        case done
        /// The socket is an event stream's, or about to be.
        case left
    }

    private let gate: WebSocketGate
    private let encoder: HTTPResponseEncoder
    private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    private let negotiated: EventLoopPromise<ApusChannel.Negotiated>
    private let configureHTTP: (any Channel) throws -> ApusChannel.HTTPChannel
    private let requestTimeout: TimeAmount
    /// When the connection is closed if the request at hand is not complete.
    private var deadline: Scheduled<Void>?
    private var state = State.waiting
    /// Whether the client knows no chunks: the end of its answer is that of the connection (RFC 9112 section 6.3).
    private var speaksHTTP10 = false
    /// What ends with the connection while its response is at work.
    struct AtWork {
        /// Whether a client that sends nothing more is taken for one that is gone: nothing else would show it before the
        /// next write.
        let needsInput: Bool
        let end: () -> Void
    }

    /// A publish or a poll that waits. A connection answers one request at a time.
    var atWork: AtWork?
    /// What gets the socket instead of the answer that is to be written next.
    var stream: OpenStream?

    init(
        gate: WebSocketGate,
        encoder: HTTPResponseEncoder,
        decoder: ByteToMessageHandler<HTTPRequestDecoder>,
        negotiated: EventLoopPromise<ApusChannel.Negotiated>,
        requestTimeout: TimeAmount,
        configureHTTP: @escaping (any Channel) throws -> ApusChannel.HTTPChannel
    ) {
        self.gate = gate
        self.encoder = encoder
        self.decoder = decoder
        self.negotiated = negotiated
        self.requestTimeout = requestTimeout
        self.configureHTTP = configureHTTP
    }

    func channelInactive(context: ChannelHandlerContext) {
        atWork.take()?.end()
        stream.take()?.cancel()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
        atWork.take()?.end()
        stream.take()?.cancel()
        negotiated.fail(NotNegotiated())
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .done:
            context.fireChannelRead(data)
        case .left:
            // Whoever reads a stream has nothing more to say.
            break
        case .waiting:
            guard case .head(let head) = unwrapInboundIn(data) else { return }
            received(head, unanswered: 0, context: context)
        case .http(let unanswered):
            switch unwrapInboundIn(data) {
            case .head(let head): return received(head, unanswered: unanswered, context: context)
            case .end: deadline?.cancel()
            case .body: break
            }
            context.fireChannelRead(data)
        case .upgrading(let head, let handshake):
            guard case .end = unwrapInboundIn(data) else {
                return refuse(Problem(.badRequest, "A WebSocket handshake has no body"), context: context)
            }
            upgrade(head, handshake, context: context)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .http(let unanswered) = state else {
            guard case .left = state else { return context.write(data, promise: promise) }
            promise?.succeed()
            return
        }
        switch unwrapOutboundIn(data) {
        case .head where stream != nil:
            startStream(context)
            promise?.succeed()
        case .head(var head) where speaksHTTP10:
            head.version = .http1_0
            head.headers.remove(name: "transfer-encoding")
            head.headers.replaceOrAdd(name: "connection", value: "close")
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .end:
            state = .http(unanswered: unanswered - 1)
            atWork = nil
            guard speaksHTTP10 else { return context.write(data, promise: promise) }
            let channel = context.channel
            context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { result in
                promise?.completeWith(result)
                channel.close(promise: nil)
            }
        case .head, .body:
            context.write(data, promise: promise)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch state {
        case .waiting where error is HTTPParserError, .upgrading where error is HTTPParserError:
            refuse(Problem(.badRequest, "This is no HTTP request"), context: context)
        default:
            context.fireErrorCaught(error)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch (state, event) {
        case (.waiting, is ChannelShouldQuiesceEvent), (.waiting, ChannelEvent.inputClosed),
            (.upgrading, is ChannelShouldQuiesceEvent), (.upgrading, ChannelEvent.inputClosed):
            context.close(promise: nil)
        case (.http, is ChannelShouldQuiesceEvent):
            // Until the drain is over a load balancer is told on this connection that the server is not ready.
            let channel = context.channel
            gate.afterDrain(on: context.eventLoop) {
                if channel.isActive { context.fireUserInboundEventTriggered(event) }
            }
        case (_, ChannelEvent.inputClosed) where atWork?.needsInput == true:
            context.close(promise: nil)
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    private func received(_ head: HTTPRequestHead, unanswered: Int, context: ChannelHandlerContext) {
        startDeadline(context)
        guard head.headers.contains(name: "upgrade") else {
            return serveHTTP(head, unanswered: unanswered, context: context)
        }
        // Behind requests that are not answered yet there is no room for the answer to a handshake.
        switch unanswered == 0 ? gate.check(head) : nil {
        case .success(let handshake)?:
            guard !head.hasBody else {
                return refuse(Problem(.badRequest, "A WebSocket handshake has no body"), context: context)
            }
            state = .upgrading(head, handshake)
        case .failure(let refusal)?:
            refuse(refusal.problem, context: context)
        case nil:
            // Another protocol was asked for, which need not be answered (RFC 9110 section 7.8). The decoder has stopped at
            // this request, so it is the connection's last.
            var last = head
            last.headers.remove(name: "upgrade")
            last.headers.replaceOrAdd(name: "connection", value: "close")
            serveHTTP(last, unanswered: unanswered, context: context)
        }
    }

    /// Gives the rest of the request its time: a body that drips in would hold its connection for ever.
    private func startDeadline(_ context: ChannelHandlerContext) {
        deadline?.cancel()
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: requestTimeout) { channel.close(promise: nil) }
    }

    private func serveHTTP(_ head: HTTPRequestHead, unanswered: Int, context: ChannelHandlerContext) {
        do {
            if case .waiting = state {
                negotiated.succeed(.http(try configureHTTP(context.channel)))
            }
            speaksHTTP10 = head.version == .http1_0 || head.version == .http0_9
            state = .http(unanswered: unanswered + 1)
            context.fireChannelRead(wrapInboundOut(.head(head)))
        } catch {
            negotiated.fail(error)
            context.close(promise: nil)
        }
    }

    /// Answers the handshake, and gives the socket to a loop of ours once all that was read or written here is accounted for.
    private func upgrade(_ head: HTTPRequestHead, _ handshake: Handshake, context: ChannelHandlerContext) {
        state = .done
        deadline?.cancel()
        let pipeline = context.pipeline.syncOperations
        let input = InputCollector()
        do {
            try context.channel.syncOptions?.setOption(.autoRead, value: false)
            // What the client sent behind its handshake leaves the decoder when that is removed.
            try pipeline.addHandler(input, position: .after(self))
            try pipeline.addHandler(EndKeeper(), position: .before(decoder))
        } catch {
            negotiated.fail(error)
            return context.close(promise: nil)
        }
        negotiated.succeed(.webSocket)
        let answered = context.eventLoop.makePromise(of: Void.self)
        let response = handshake.response(to: head.headers.first(name: "sec-websocket-key") ?? "")
        pipeline.removeHandler(encoder).assumeIsolated().whenComplete { _ in
            context.writeAndFlush(NIOAny(response), promise: answered)
        }
        answered.futureResult.and(pipeline.removeHandler(decoder)).assumeIsolated().whenComplete { result in
            if case .success = result { self.handOver(handshake, input.bytes, context: context) }
            context.close(promise: nil)
        }
    }

    private func handOver(_ handshake: Handshake, _ input: ByteBuffer, context: ChannelHandlerContext) {
        if let socket = duplicateSocket(context) { gate.adopt(socket, after: handshake, input: input) }
    }

    /// Writes the head of a stream's answer, and gives the stream the socket behind it.
    private func startStream(_ context: ChannelHandlerContext) {
        guard let stream = stream.take() else { return }
        state = .left
        deadline?.cancel()
        let answered = context.eventLoop.makePromise(of: Void.self)
        context.pipeline.syncOperations.removeHandler(encoder).assumeIsolated().whenComplete { _ in
            context.writeAndFlush(NIOAny(StreamGate.head()), promise: answered)
        }
        answered.futureResult.assumeIsolated().whenComplete { result in
            if case .success = result, let socket = self.duplicateSocket(context) {
                stream.start(on: socket)
            } else {
                stream.cancel()
            }
            context.close(promise: nil)
        }
    }

    /// The channel's socket, which stays open when the channel is closed.
    private func duplicateSocket(_ context: ChannelHandlerContext) -> Socket? {
        try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { try Socket(descriptor: $0).duplicated() }
    }

    private func refuse(_ problem: Problem, context: ChannelHandlerContext) {
        state = .done
        let body = problem.body
        var headers: HTTPHeaders = [
            "Content-Type": Problem.mediaType, "Content-Length": "\(body.readableBytes)", "Connection": "close",
        ]
        for (name, value) in problem.headers { headers.replaceOrAdd(name: name.rawName, value: value) }
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: problem.code.status), headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
    }
}

/// Keeps what comes behind a handshake.
private final class InputCollector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private(set) var bytes = ByteBuffer()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var more = unwrapInboundIn(data)
        bytes.writeBuffer(&more)
    }
}

/// Keeps back that the client sends nothing more, which the socket will tell again: the decoder would throw away what came
/// behind the handshake, and HTTP's handlers close the channel before the socket has left it.
private final class EndKeeper: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { return }
        context.fireUserInboundEventTriggered(event)
    }
}

extension HTTPRequestHead {
    fileprivate var hasBody: Bool {
        headers.contains(name: "transfer-encoding") || headers["content-length"].contains { $0 != "0" }
    }
}
