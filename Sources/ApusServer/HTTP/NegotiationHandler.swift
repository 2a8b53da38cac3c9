import ApusProtocol
import HTTPTypes
import NIOCore
import NIOHTTP1

/// Takes a connection's requests one by one: WebSocket handshakes are upgraded or refused here, as is what nobody can
/// serve; anything else is for the router.
///
/// ```
/// InputPacer ─► decoder ─► NegotiationHandler ─► codec, Hummingbird's handlers ─► router
///               encoder ◄─────────┘   └─► upgraded, or answered with an event stream: the socket leaves the channel
/// ```
/// A request has its turn when the one before it is answered, so that every answer has its place, and an end of the
/// connection comes behind all of them. What the router sees is in order: of a body that breaks off, or is not chunked
/// as it says, it is told by a ``Problem`` as error of the channel.
///
/// A handshake that comes first on its connection hardly gets here: ``PendingConnection`` answers it. But it may be out
/// of the ordinary, or a proxy may send it on a connection that has carried requests before. NIO's own upgrade handlers
/// only look at the first request, and lose one that asks for an upgrade in vain.
///
/// Bounded by ``InputPacer/portion`` bytes of requests that wait for their turn, and by the decoder's limits.
final class NegotiationHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    struct NotNegotiated: Error {}

    static let hasBody = Problem(.badRequest, "A WebSocket handshake has no body")

    struct Timeouts {
        /// What a request's head may take, and its body besides what ``NegotiationHandler/bodyRate`` allows for.
        var request: TimeAmount
        /// How long a client may take nothing of its answers.
        var close: TimeAmount
    }

    enum State {
        /// All that was asked for is answered.
        case idle
        /// A request is the router's.
        case serving(Exchange)
        /// A valid handshake is there; its end has to follow.
        case upgrading(HTTPRequestHead, Handshake)
        /// The socket becomes a WebSocket's.
        case upgraded
        /// The socket becomes an event stream's.
        case streaming
        /// The last answer is on its way: nothing that comes counts any more.
        case lingering
    }

    /// What comes from the decoder.
    enum Arrival {
        case part(HTTPServerRequestPart)
        /// Nothing behind it can be understood.
        case fault(Problem)
        case end
    }

    let gate: WebSocketGate
    let log: RequestLog
    let pacer: InputPacer
    let encoder: HTTPResponseEncoder
    let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    let negotiated: EventLoopPromise<ApusChannel.Negotiated>
    let timeouts: Timeouts
    let staysForDrain: Bool
    let configureHTTP: (any Channel) throws -> ApusChannel.HTTPChannel
    /// Whether there is a router behind this handler.
    var isConfigured = false
    private(set) var context: ChannelHandlerContext?
    var state = State.idle
    /// What has no turn yet.
    var waiting = CircularBuffer<Arrival>()
    var headWatch = HeadWatch()
    /// When something is done about what the client should have sent by then.
    var deadline: Scheduled<Void>?
    /// When it is cut, unless it has taken some of its answers.
    var sendingDeadline: Scheduled<Void>?
    var atWork: (() -> Void)?
    /// What gets the socket instead of the answer that is to be written next.
    var stream: OpenStream?

    init(
        gate: WebSocketGate,
        log: RequestLog,
        pacer: InputPacer,
        encoder: HTTPResponseEncoder,
        decoder: ByteToMessageHandler<HTTPRequestDecoder>,
        negotiated: EventLoopPromise<ApusChannel.Negotiated>,
        timeouts: Timeouts,
        staysForDrain: Bool,
        configureHTTP: @escaping (any Channel) throws -> ApusChannel.HTTPChannel
    ) {
        self.gate = gate
        self.log = log
        self.pacer = pacer
        self.encoder = encoder
        self.decoder = decoder
        self.negotiated = negotiated
        self.timeouts = timeouts
        self.staysForDrain = staysForDrain
        self.configureHTTP = configureHTTP
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        startDeadline(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        cancelDeadline()
        sendingDeadline?.cancel()
        endWork()
        stream.take()?.cancel()
        negotiated.fail(NotNegotiated())
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        endWork()
        stream.take()?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What the decoder gives up when it is removed is no part of a request.
        if case .upgraded = state { return context.fireChannelRead(data) }
        arrived(.part(unwrapInboundIn(data)), context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? HTTPParserError {
            arrived(.fault(problem(for: error)), context)
        } else if case .serving(let exchange) = state, !exchange.isRead {
            breakOff(Problem(.badRequest, "The request broke off"), context)
        } else {
            context.fireErrorCaught(error)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch (event, state) {
        case (ChannelEvent.inputClosed, _):
            arrived(.end, context)
        case (is ChannelShouldQuiesceEvent, .idle) where !isConfigured, (is ChannelShouldQuiesceEvent, .upgrading):
            context.close(promise: nil)
        case (is ChannelShouldQuiesceEvent, _) where staysForDrain:
            // Until the drain is over a load balancer is told on this connection that the server is not ready.
            let channel = context.channel
            gate.afterDrain(on: context.eventLoop) {
                if channel.isActive { context.fireUserInboundEventTriggered(event) }
            }
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard event is BodyIsWanted else { return context.triggerUserOutboundEvent(event, promise: promise) }
        if case .serving(var exchange) = state, exchange.goesOn() {
            state = .serving(exchange)
            context.writeAndFlush(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))))
                .cascade(to: promise)
        } else {
            promise?.succeed()
        }
    }

    // MARK: Turns

    /// Whether the decoder may go on: nothing that it has decoded waits.
    var wantsInput: Bool { waiting.isEmpty && takesInput }

    private var takesInput: Bool {
        switch state {
        case .idle, .upgrading, .lingering: true
        case .serving(let exchange): !exchange.isRead
        case .upgraded, .streaming: false
        }
    }

    private func arrived(_ arrival: Arrival, _ context: ChannelHandlerContext) {
        if wantsInput { take(arrival, context) } else { waiting.append(arrival) }
    }

    /// Goes on with what waited for an answer to be over.
    func advance(_ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        while takesInput, let next = waiting.popFirst() { take(next, context) }
        context.fireChannelReadComplete()
        if waiting.isEmpty { pacer.resume() }
    }

    private func take(_ arrival: Arrival, _ context: ChannelHandlerContext) {
        switch (state, arrival) {
        case (.idle, .part(.head(let head))):
            begin(head, context)
        case (.idle, .fault(let problem)):
            refuse(problem, context)
        case (.idle, .end):
            if isConfigured {
                context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            } else {
                context.close(promise: nil)
            }
        case (.serving(var exchange), .part(let part)):
            read(part, of: &exchange, context)
        case (.serving, .fault(let problem)):
            breakOff(problem, context)
        case (.serving, .end):
            breakOff(Problem(.badRequest, "The request broke off"), context)
        case (.upgrading(let head, let handshake), .part(.end)):
            upgrade(head, handshake, context)
        case (.upgrading(let head, _), _):
            refuse(.malformed, Self.hasBody, to: head, context)
        case (.lingering, .end):
            context.close(promise: nil)
        case (.idle, .part), (.lingering, _), (.upgraded, _), (.streaming, _):
            break
        }
    }

    // MARK: Clients that leave

    /// Calls `end` when the client is gone, or says that it sends nothing more, before its answer is over: at once, if
    /// it has already.
    ///
    /// Until something is written, a client that closed the connection and one that half-closed it look the same. So
    /// neither is waited for.
    func endWithClient(_ end: @escaping () -> Void) {
        guard !pacer.hasEnded, case .serving(let exchange) = state, !exchange.isBroken else { return end() }
        atWork = end
    }

    /// The client sends nothing more, behind what may not even be decoded.
    func inputEnded() {
        endWork()
    }

    func endWork() {
        atWork.take()?()
    }
}

/// Asks for the body that a client holds back until then: an outbound event.
struct BodyIsWanted {}
