import ApusProtocol
import NIOCore
import NIOHTTP1

// Requests on their way to the router, and its responses.

extension NegotiationHandler {
    // MARK: Requests

    func begin(_ original: HTTPRequestHead, _ context: ChannelHandlerContext) {
        startDeadline(context)
        var head = original
        let terms: RequestTerms
        do throws(Problem) {
            terms = try RequestTerms(&head)
        } catch {
            return gate.isHandshake(head)
                ? refuse(.malformed, error, to: head, context) : refuse(error, to: head, context)
        }
        guard head.headers.contains(name: "upgrade") else { return serve(head, terms, context) }
        switch gate.check(head) {
        case .success(let handshake)?:
            guard terms.body == .none else {
                return refuse(.malformed, Self.hasBody, to: head, context)
            }
            state = .upgrading(head, handshake)
        case .failure(let refusal)?:
            refuse(refusal.reason, refusal.problem, to: head, context)
        case nil:
            // The client asks for another protocol. The server may ignore that (RFC 9110 section 7.8). The decoder has
            // stopped at this request, so it is the last on the connection.
            head.headers.remove(name: "upgrade")
            head.headers.replaceOrAdd(name: "connection", value: "close")
            serve(head, terms, context)
        }
    }

    private func serve(_ head: HTTPRequestHead, _ terms: RequestTerms, _ context: ChannelHandlerContext) {
        do {
            if !isConfigured {
                negotiated.succeed(.http(try configureHTTP(context.channel)))
                isConfigured = true
            }
            state = .serving(Exchange(head, terms))
            context.fireChannelRead(wrapInboundOut(.head(head)))
        } catch {
            negotiated.fail(error)
            context.close(promise: nil)
        }
    }

    func read(
        _ part: HTTPServerRequestPart,
        of exchange: inout Exchange,
        _ context: ChannelHandlerContext
    ) {
        switch part {
        case .head: return
        case .body(let bytes): exchange.receivedBody(bytes.readableBytes)
        case .end:
            exchange.receivedEnd()
            cancelDeadline()
        }
        state = .serving(exchange)
        context.fireChannelRead(wrapInboundOut(part))
        finishIfAnswered(context)
    }

    // MARK: Responses

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .serving(var exchange) = state, exchange.answer != .ended else {
            // Part of the response that an event stream has replaced.
            if case .streaming = state { promise?.succeed() } else { promise?.fail(ChannelError.ioOnClosedChannel) }
            return
        }
        switch unwrapOutboundIn(data) {
        case .head where stream != nil:
            startStream(context)
            promise?.succeed()
        case .head(var head):
            exchange.begin(&head)
            state = .serving(exchange)
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body where !exchange.hasBody:
            promise?.succeed()
        case .body:
            context.write(data, promise: promise)
        case .end:
            exchange.end()
            atWork = nil
            state = .serving(exchange)
            context.write(wrapOutboundOut(.end(nil)), promise: promise)
            finishIfAnswered(context)
        }
    }

    private func finishIfAnswered(_ context: ChannelHandlerContext) {
        guard case .serving(let exchange) = state, exchange.answer == .ended else { return }
        guard !exchange.closes else { return linger(context) }
        guard exchange.isRead else { return }
        state = .idle
        headWatch = HeadWatch()
        guard !waiting.isEmpty || pacer.hasHeld else { return }
        // Not during the write of a response, which is not complete yet.
        context.eventLoop.assumeIsolated().execute { self.advance(context) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        watchSending(context)
        context.fireChannelWritabilityChanged()
    }
}
