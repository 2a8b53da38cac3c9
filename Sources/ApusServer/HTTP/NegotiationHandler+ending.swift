import ApusProtocol
import HTTPTypes
import NIOCore
import NIOHTTP1

// Requests that break off or can not be served, deadlines, and the end of the connection.

extension NegotiationHandler {
    /// The most bytes of a request's head, or of the trailer behind a body in chunks, and of fields in it.
    static let (maxHead, maxFields) = (64 * 1024, 256)
    /// How many bytes of a body give the client another second to send the rest.
    static let bodyRate = 8 * 1024
    /// How long what still comes is read and thrown away behind a last answer.
    private static let lingerTime = TimeAmount.seconds(2)

    static var decoderLimits: NIOHTTPDecoderLimitConfiguration {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = maxHead
        limits.maxHeaderListSize = maxHead
        limits.maxHeaderFieldCount = maxFields
        return limits
    }

    /// What is known of a head that is not whole.
    struct HeadWatch {
        private(set) var isBegun = false
        /// Bytes of the request line, so far.
        private(set) var line = 0
        private var hasLine = false

        mutating func add(_ bytes: ByteBufferView) {
            // Line ends before a request mean nothing (RFC 9112 section 2.2).
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

    /// Answers a request that is not the router's, and ends the connection: what is behind such a head is not
    /// understood, or not wanted.
    func refuse(_ problem: Problem, to head: HTTPRequestHead? = nil, _ context: ChannelHandlerContext) {
        log.refused(problem, head: head, address: address(context))
        answer(problem, to: head, context)
    }

    /// The same for a handshake.
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

    /// Tells the router, when it has not answered yet, that the rest of its request will not come.
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

    /// Some bytes came, which are not decoded yet.
    func inputCame(_ bytes: ByteBuffer) {
        guard let context, case .idle = state, wantsInput else { return }
        headWatch.add(bytes.readableBytesView)
        if headWatch.isBegun, deadline == nil { startDeadline(context) }
    }

    func cancelDeadline() {
        deadline?.cancel()
        deadline = nil
    }

    /// Gives the request its time: what drips in would hold its connection for ever.
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
            // A slow client is not a dead one.
            let allowance = TimeAmount.milliseconds(Int64(exchange.received) * 1000 / Int64(Self.bodyRate))
            let rest = start + timeouts.request + allowance - context.eventLoop.now
            if rest > .zero { setDeadline(in: rest, since: start, context) } else { breakOff(timeout, context) }
        case .idle, .upgrading:
            context.close(promise: nil)
        case .serving, .upgraded, .streaming, .lingering:
            break
        }
    }

    // MARK: The end

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch state {
        case .lingering, .upgraded, .streaming:
            // On its way. A socket that leaves is not to be shut down.
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

    /// Ends the connection behind the last answer.
    ///
    /// To close a socket that has bytes nobody read resets the connection, and the client may never see the answer. So
    /// only our direction is closed, and the client's read for nothing, until it hangs up or ``lingerTime`` is over.
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

    /// Cuts a client that takes nothing of its answers, as long as they wait.
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
