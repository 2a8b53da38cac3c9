import ApusProtocol
import HTTPTypes
import NIOCore
import NIOHTTP1

/// Looks at a connection's first request: a WebSocket handshake is upgraded or refused here, anything else is HTTP.
///
/// ```
/// encoder ◄─┐                         upgraded:  WebSocketConnection alone
/// decoder ──┴─► NegotiationHandler ─► HTTP:      encoder, decoder, codec, Hummingbird's handlers
/// ```
/// NIO's own upgrade handlers lose a request that asks for an upgrade and does not get it, so its answer with it.
final class NegotiationHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    struct NotNegotiated: Error {}

    private enum State {
        case waiting
        /// A valid handshake is there; its end has to follow.
        case upgrading(HTTPRequestHead, Handshake)
        /// What comes is for the handler that was chosen.
        case done
    }

    private let gate: WebSocketGate
    private let encoder: HTTPResponseEncoder
    private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    private let negotiated: EventLoopPromise<ApusChannel.Negotiated>
    private let configureHTTP: (any Channel) throws -> ApusChannel.Negotiated
    private var state = State.waiting

    init(
        gate: WebSocketGate,
        encoder: HTTPResponseEncoder,
        decoder: ByteToMessageHandler<HTTPRequestDecoder>,
        negotiated: EventLoopPromise<ApusChannel.Negotiated>,
        configureHTTP: @escaping (any Channel) throws -> ApusChannel.Negotiated
    ) {
        self.gate = gate
        self.encoder = encoder
        self.decoder = decoder
        self.negotiated = negotiated
        self.configureHTTP = configureHTTP
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        negotiated.fail(NotNegotiated())
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .done:
            context.fireChannelRead(data)
        case .waiting:
            guard case .head(let head) = unwrapInboundIn(data) else { return }
            received(head, context: context)
        case .upgrading(let head, let handshake):
            guard case .end = unwrapInboundIn(data) else {
                return refuse(Problem(.badRequest, "A WebSocket handshake has no body"), context: context)
            }
            upgrade(head, handshake, context: context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .waiting = state, error is HTTPParserError {
            refuse(Problem(.badRequest, "This is no HTTP request"), context: context)
        } else {
            context.fireErrorCaught(error)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch (state, event) {
        case (.waiting, is ChannelShouldQuiesceEvent), (.waiting, ChannelEvent.inputClosed):
            context.close(promise: nil)
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    private func received(_ head: HTTPRequestHead, context: ChannelHandlerContext) {
        guard head.headers.contains(name: "upgrade") else { return serveHTTP(head, context: context) }
        switch gate.check(head) {
        case .success(let handshake)?:
            state = .upgrading(head, handshake)
        case .failure(let refusal)?:
            refuse(refusal.problem, context: context)
        case nil:
            // Another protocol was asked for, which need not be answered (RFC 9110 section 7.8). The decoder has stopped at
            // this request, so it is the connection's last.
            var last = head
            last.headers.remove(name: "upgrade")
            last.headers.replaceOrAdd(name: "connection", value: "close")
            serveHTTP(last, context: context)
        }
    }

    private func serveHTTP(_ head: HTTPRequestHead, context: ChannelHandlerContext) {
        state = .done
        do {
            negotiated.succeed(try configureHTTP(context.channel))
            context.fireChannelRead(wrapInboundOut(.head(head)))
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        } catch {
            negotiated.fail(error)
            context.close(promise: nil)
        }
    }

    private func upgrade(_ head: HTTPRequestHead, _ handshake: Handshake, context: ChannelHandlerContext) {
        state = .done
        let pipeline = context.pipeline.syncOperations
        do {
            let connection = try gate.makeConnection(handshake, on: context.eventLoop)
            let response = HTTPResponseHead(
                version: .http1_1,
                status: .switchingProtocols,
                headers: [
                    "Upgrade": "websocket", "Connection": "Upgrade",
                    "Sec-WebSocket-Accept": Handshake.accept(head.headers.first(name: "sec-websocket-key") ?? ""),
                ]
            )
            context.writeAndFlush(wrapOutboundOut(.head(response)), promise: nil)
            // From here on bytes are written and not HTTP; what the client sent behind its handshake leaves the decoder when
            // that is removed, and goes through this handler to the connection.
            pipeline.removeHandler(encoder, promise: nil)
            try pipeline.addHandler(connection)
            negotiated.succeed(.webSocket)
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            pipeline.removeHandler(decoder).whenComplete { _ in
                let (handler, context) = bound.value
                context.fireChannelReadComplete()
                context.pipeline.syncOperations.removeHandler(handler, promise: nil)
            }
        } catch {
            negotiated.fail(error)
            context.close(promise: nil)
        }
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
