import ApusProtocol
import NIOCore
import NIOHTTP1

/// Handles a connection's requests one by one, as ``HTTPConnectionState`` says: this is only what touches the channel.
///
/// ```
/// InputPacer ─► decoder ─► HTTPConnectionHandler ─► codec, Hummingbird's handlers ─► router
///               encoder ◄──────────┘   └─► upgraded, or answered with an event stream: the socket leaves the channel
/// ```
/// ``PendingConnection`` usually answers a handshake that comes first on its connection. This handler gets the
/// handshake if it is out of the ordinary, or if a proxy sends it on a connection that has carried requests before.
/// NIO's own upgrade handlers check only the first request, and lose a request whose upgrade is declined.
///
/// Memory is bounded by ``InputPacer/portion`` bytes of waiting requests, and by the decoder's limits.
final class HTTPConnectionHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    var state: HTTPConnectionState
    let gate: any HandshakeGate
    private let caller: Caller
    private let log: RequestLog
    let pacer = InputPacer()
    let encoder = HTTPResponseEncoder(configuration: unframed)
    let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    /// Adds the router's handlers; `nil` once they are there.
    private var addRouter: ((InFlightRequest) throws -> Void)?
    private var context: ChannelHandlerContext?
    /// Calls ``HTTPConnectionState/timePassed(now:output:)``. It may fire before the next deadline, which saves setting
    /// it with each request.
    var timer: (deadline: NIODeadline, task: Scheduled<Void>)?
    /// Whether a deadline was found passed, and the second look at it is scheduled.
    var isLookingAgain = false
    /// Ends what the current request waits for.
    private var endWork: (() -> Void)?
    /// The stream that gets the socket instead of the response that is written next.
    private var stream: OpenStream?

    /// - Parameters:
    ///   - caller: who is at the other end of the connection.
    ///   - addRouter: adds the handlers that take requests. Called before the first request.
    init(
        timeouts: HTTPConnectionState.Timeouts,
        staysForDrain: Bool,
        caller: Caller,
        gate: any HandshakeGate,
        log: RequestLog,
        addRouter: @escaping (InFlightRequest) throws -> Void
    ) {
        state = HTTPConnectionState(timeouts: timeouts, staysForDrain: staysForDrain, gate: gate)
        self.caller = caller
        self.gate = gate
        self.log = log
        self.addRouter = addRouter
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = HTTPConnectionState.maxHead
        limits.maxHeaderListSize = HTTPConnectionState.maxHead
        limits.maxHeaderFieldCount = HTTPConnectionState.maxFields
        let parser = HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits)
        decoder = ByteToMessageHandler(parser)
    }

    /// The response framing depends on the request, which the encoder does not know.
    private static var unframed: HTTPResponseEncoder.Configuration {
        var configuration = HTTPResponseEncoder.Configuration()
        configuration.automaticallySetFramingHeaders = false
        return configuration
    }

    /// Adds this handler to the pipeline, behind those that it works with.
    func add(to pipeline: ChannelPipeline.SynchronousOperations) throws {
        pacer.handler = self
        try pipeline.addHandlers([pacer, encoder, decoder, self])
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        state.opened(now: context.eventLoop.now)
        setTimer(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer.take()?.task.cancel()
        perform(state.closed(), context)
        stream.take()?.cancel()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        perform(state.closed(), context)
        stream.take()?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // When the decoder is removed, it returns bytes that belong to no request.
        if state.isUpgraded { return context.fireChannelRead(data) }
        perform(state.arrived(.part(unwrapInboundIn(data)), now: context.eventLoop.now), context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? HTTPParserError {
            perform(state.failed(error, now: context.eventLoop.now), context)
        } else if let actions = state.failed() {
            perform(actions, context)
        } else {
            context.fireErrorCaught(error)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed: perform(state.arrived(.end, now: context.eventLoop.now), context)
        case is ChannelShouldQuiesceEvent: perform(state.quiesce(), context)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        watchSending(context)
        context.fireChannelWritabilityChanged()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch state.answered(unwrapOutboundIn(data), now: context.eventLoop.now) {
        case .write(let part, let actions):
            // What a request waited for does not matter any more.
            if case .end = part { endWork = nil }
            context.write(wrapOutboundOut(part), promise: promise)
            perform(actions, context)
        case .skip:
            promise?.succeed()
        case .startStream:
            stream.take().map { start($0, context) }
            promise?.succeed()
        case .fail:
            promise?.fail(ChannelError.ioOnClosedChannel)
        }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        let side: HTTPConnectionState.Side
        switch mode {
        case .all: side = .both
        case .input: side = .input
        case .output: side = .output
        }
        switch state.closeAsked(side, hasUnsent: pacer.unsent > 0) {
        case .close:
            context.close(mode: mode, promise: promise)
        case .ignore:
            context.channel.closeFuture.cascade(to: promise)
        case .act(let actions):
            perform(actions, context)
            context.channel.closeFuture.cascade(to: promise)
        }
    }

    // MARK: What the pacer tells

    /// Whether the decoder may continue.
    var wantsInput: Bool { state.wantsInput }

    /// Bytes came that are not decoded yet.
    func received(_ bytes: ByteBuffer) {
        guard let context else { return }
        state.received(bytes.readableBytesView, now: context.eventLoop.now)
        setTimer(context)
    }

    /// The client has closed its sending side.
    func inputEnded() {
        guard let context else { return }
        perform(state.inputEnded(), context)
    }

    // MARK: Actions

    func perform(_ actions: [HTTPConnectionState.Action], _ context: ChannelHandlerContext) {
        for action in actions { perform(action, context) }
        setTimer(context)
    }

    private func perform(_ action: HTTPConnectionState.Action, _ context: ChannelHandlerContext) {
        switch action {
        case .pass(let part): pass(part, context)
        case .passFault(let problem): context.fireErrorCaught(problem)
        case .passInputEnd: context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        case .refuse(let refusal): answer(refusal, context)
        case .endWork: endWork.take()?()
        case .takeNext: takeNext(context)
        case .upgrade(let head, let handshake): upgrade(head, handshake, context)
        case .waitForDrain: waitForDrain(context)
        case .hangUp:
            context.flush()
            close(context: context, mode: .all, promise: nil)
        case .linger: linger(context)
        case .closeOutput: context.close(mode: .output, promise: nil)
        case .close: context.close(promise: nil)
        }
    }

    private func pass(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        // Who adds the handlers keeps the request, and with it this connection: so this lets go of the closure.
        if let addRouter = addRouter.take() {
            do {
                try addRouter(InFlightRequest(on: self, eventLoop: context.eventLoop, caller: caller))
            } catch {
                return context.close(promise: nil)
            }
        }
        context.fireChannelRead(wrapInboundOut(part))
    }

    private func takeNext(_ context: ChannelHandlerContext) {
        guard !state.waiting.isEmpty || pacer.hasHeld else { return }
        // Not during the write of a response, which is not complete yet.
        context.eventLoop.assumeIsolated().execute {
            guard !self.state.isClosed else { return }
            while let actions = self.state.next(now: context.eventLoop.now) { self.perform(actions, context) }
            context.fireChannelReadComplete()
            if self.state.waiting.isEmpty { self.pacer.resume() }
        }
    }

    private func waitForDrain(_ context: ChannelHandlerContext) {
        gate.afterDrain(on: context.eventLoop) {
            guard !self.state.isClosed else { return }
            self.perform(self.state.drained(), context)
        }
    }

    private func linger(_ context: ChannelHandlerContext) {
        pacer.discard()
        guard let sent = pacer.whenSent() else { return context.close(promise: nil) }
        watchSending(context)
        sent.assumeIsolated().whenComplete { result in
            let isSuccess = if case .success = result { true } else { false }
            self.perform(self.state.sent(isSuccess: isSuccess, now: context.eventLoop.now), context)
        }
    }

    private func answer(_ refusal: HTTPConnectionState.Refusal, _ context: ChannelHandlerContext) {
        let (problem, head) = (refusal.problem, refusal.head)
        let address = "\(gate.address(of: head))"
        if let reason = refusal.reason {
            gate.refused(reason, problem, address: address)
        } else {
            log.refused(problem, head: head, address: address)
        }
        context.write(wrapOutboundOut(.head(problem.lastHead(to: head))), promise: nil)
        if head?.method != .HEAD { context.write(wrapOutboundOut(.body(.byteBuffer(problem.body))), promise: nil) }
        context.write(wrapOutboundOut(.end(nil)), promise: nil)
    }
}

// MARK: - What a route asks for

extension HTTPConnectionHandler: RequestConnection {
    func endWithClient(_ end: @escaping () -> Void) {
        guard state.mayWait else { return end() }
        endWork = end
    }

    func askForBody() -> EventLoopFuture<Void>? {
        guard let context, state.bodyIsWanted() else { return nil }
        return context.writeAndFlush(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))))
    }

    func answer(with stream: OpenStream) {
        guard !state.isClosed else { return stream.cancel() }
        state.hasStream = true
        self.stream = stream
    }
}
