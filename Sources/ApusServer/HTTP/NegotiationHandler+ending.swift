import ApusProtocol
import HTTPTypes
import NIOCore
import NIOHTTP1

// Incomplete or malformed requests, deadlines, and the end of the connection.

extension NegotiationHandler {
    /// Limits for a request's head, and for the trailer after a chunked body: bytes, and header fields.
    static let (maxHead, maxFields) = (64 * 1024, 256)
    /// How many bytes of a received body give the client another second to send the rest.
    static let bodyRate = 8 * 1024
    /// How long input is still read and discarded after the last response.
    private static let lingerTime = TimeAmount.seconds(2)

    static var decoderLimits: NIOHTTPDecoderLimitConfiguration {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = maxHead
        limits.maxHeaderListSize = maxHead
        limits.maxHeaderFieldCount = maxFields
        return limits
    }

    /// Watches a request head that is not complete yet.
    struct HeadWatch {
        private(set) var isBegun = false
        /// How many bytes of the request line have arrived.
        private(set) var line = 0
        private var hasLine = false

        mutating func add(_ bytes: ByteBufferView) {
            // Line ends before a request are ignored (RFC 9112 section 2.2).
            let text = isBegun ? bytes : bytes.drop { $0 == 0x0D || $0 == 0x0A }
            guard !text.isEmpty else { return }
            isBegun = true
            guard !hasLine else { return }
            let end = text.firstIndex(of: 0x0A)
            hasLine = end != nil
            line += (end ?? text.endIndex) - text.startIndex
        }
    }

    // MARK: Refusals

    /// Answers a request that the router cannot serve, and ends the connection: input after such a head cannot be
    /// parsed, or is not wanted.
    func refuse(_ problem: Problem, to head: HTTPRequestHead? = nil, _ context: ChannelHandlerContext) {
        log.refused(problem, head: head, address: address(context))
        answer(problem, to: head, context)
    }

    /// Answers a handshake in the same way.
    func refuse(
        _ reason: Handshake.Refusal.Reason,
        _ problem: Problem,
        to head: HTTPRequestHead,
        _ context: ChannelHandlerContext
    ) {
        gate.refusals.note(reason, status: problem.code.status, address: address(context))
        answer(problem, to: head, context)
    }

    private func address(_ context: ChannelHandlerContext) -> String {
        context.channel.remoteAddress?.hostAndPort ?? ""
    }

    private func answer(_ problem: Problem, to head: HTTPRequestHead?, _ context: ChannelHandlerContext) {
        let body = problem.body
        var headers: HTTPHeaders = [
            "Content-Type": Problem.mediaType, "Content-Length": "\(body.readableBytes)", "Connection": "close",
            "Date": httpDate(),
        ]
        for (name, value) in problem.headers { headers.replaceOrAdd(name: name.rawName, value: value) }
        let answer = HTTPResponseHead(
            version: head?.version == .http1_0 ? .http1_0 : .http1_1,
            status: HTTPResponseStatus(statusCode: problem.code.status),
            headers: headers
        )
        context.write(wrapOutboundOut(.head(answer)), promise: nil)
        if head?.method != .HEAD { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        context.write(wrapOutboundOut(.end(nil)), promise: nil)
        linger(context)
    }

    /// Tells the router that the rest of its request will not arrive, if it has not responded yet.
    func breakOff(_ problem: Problem, _ context: ChannelHandlerContext) {
        guard case .serving(var exchange) = state, !exchange.isRead else { return }
        cancelDeadline()
        exchange.breakOff()
        state = .serving(exchange)
        guard exchange.answer != .ended else { return linger(context) }
        context.fireErrorCaught(problem)
        endWork()
    }

    func problem(for error: HTTPParserError) -> Problem {
        switch error {
        case .headerOverflow where headWatch.line > Self.maxHead:
            Problem(.targetTooLong, "The request line is longer than \(Self.maxHead) bytes")
        case .headerOverflow:
            Problem(.headTooLarge, "The head is larger than \(Self.maxHead) bytes, or \(Self.maxFields) fields")
        case .invalidVersion:
            Problem(.versionNotSupported, "Only HTTP/1.1 and HTTP/1.0 are spoken here")
        case .invalidEOFState, .closedConnection:
            Problem(.badRequest, "The request broke off")
        case .invalidChunkSize:
            Problem(.badRequest, "A chunk of the body has no valid size")
        case .invalidContentLength, .unexpectedContentLength:
            Problem(.badRequest, "Content-Length is not one number, or stands beside what it excludes")
        default:
            Problem(.badRequest, "This is no HTTP request, or is not framed as one")
        }
    }

    // MARK: Deadlines

    /// Handles received bytes that are not decoded yet.
    func inputCame(_ bytes: ByteBuffer) {
        guard let context, case .idle = state, wantsInput else { return }
        headWatch.add(bytes.readableBytesView)
        if headWatch.isBegun, deadline == nil { startDeadline(context) }
    }

    func cancelDeadline() {
        deadline?.cancel()
        deadline = nil
    }

    /// Starts the request's deadline. Without it, a client that sends very slowly could hold its connection forever.
    func startDeadline(_ context: ChannelHandlerContext) {
        setDeadline(in: timeouts.request, since: context.eventLoop.now, context)
    }

    private func setDeadline(in time: TimeAmount, since start: NIODeadline, _ context: ChannelHandlerContext) {
        deadline?.cancel()
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: time) {
            self.deadline = nil
            self.expire(since: start, context)
        }
    }

    private func expire(since start: NIODeadline, _ context: ChannelHandlerContext) {
        let timeout = Problem(.requestTimeout, "The request was not complete in time")
        switch state {
        case .idle where headWatch.isBegun:
            refuse(timeout, context)
        case .serving(let exchange) where !exchange.isRead:
            // A slow client is not a dead client.
            let allowance = TimeAmount.milliseconds(Int64(exchange.received) * 1000 / Int64(Self.bodyRate))
            let rest = start + timeouts.request + allowance - context.eventLoop.now
            if rest > .zero { setDeadline(in: rest, since: start, context) } else { breakOff(timeout, context) }
        case .idle, .upgrading:
            context.close(promise: nil)
        case .serving, .upgraded, .streaming, .lingering:
            break
        }
    }

    // MARK: End of the connection

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch state {
        case .lingering, .upgraded, .streaming:
            // The end is under way already. The socket that leaves the channel must not be shut down.
            return context.channel.closeFuture.cascade(to: promise)
        case .serving(let exchange) where exchange.answer == .ended && mode != .input:
            linger(context)
        case .idle where mode == .output || mode == .all && pacer.unsent > 0:
            linger(context)
        default:
            return context.close(mode: mode, promise: promise)
        }
        context.channel.closeFuture.cascade(to: promise)
    }

    /// Ends the connection after the last response.
    ///
    /// Closing a socket with unread bytes resets the connection, and then the client may never see the response. So
    /// only the server's direction is closed. Input is read and discarded until the client closes or ``lingerTime`` is
    /// over.
    func linger(_ context: ChannelHandlerContext) {
        state = .lingering
        waiting.removeAll()
        cancelDeadline()
        pacer.discard()
        guard let sent = pacer.whenSent() else { return context.close(promise: nil) }
        watchSending(context)
        sent.assumeIsolated().whenComplete { result in
            guard case .success = result, !self.pacer.hasEnded else { return context.close(promise: nil) }
            context.close(mode: .output, promise: nil)
            self.deadline = context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingerTime) {
                context.close(promise: nil)
            }
        }
    }

    /// Closes the connection if the client accepts nothing of its waiting responses.
    func watchSending(_ context: ChannelHandlerContext) {
        sendingDeadline?.cancel()
        sendingDeadline = nil
        guard pacer.unsent > 0 else { return }
        let before = pacer.arrived
        sendingDeadline = context.eventLoop.assumeIsolated().scheduleTask(in: timeouts.close) {
            guard self.pacer.arrived != before else { return context.close(promise: nil) }
            self.watchSending(context)
        }
    }
}
