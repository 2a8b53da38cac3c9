import ApusProtocol
import HTTPTypes
import NIOCore
import NIOHTTP1

/// Handles a connection's requests one by one. It upgrades or refuses WebSocket handshakes, refuses malformed requests,
/// and passes all other requests to the router.
///
/// ```
/// InputPacer ─► decoder ─► NegotiationHandler ─► codec, Hummingbird's handlers ─► router
///               encoder ◄─────────┘   └─► upgraded, or answered with an event stream: the socket leaves the channel
/// ```
/// A request has to wait until the previous request is answered. So responses keep their order, and the end of the
/// connection comes after all of them. The router sees only well-formed requests. If a body breaks off or its chunks
/// are malformed, the handler sends a ``Problem`` through the channel as an error.
///
/// ``PendingConnection`` usually answers a handshake that comes first on its connection. This handler gets the
/// handshake if it is out of the ordinary, or if a proxy sends it on a connection that has carried requests before.
/// NIO's own upgrade handlers check only the first request, and lose a request whose upgrade is declined.
///
/// Memory is bounded by ``InputPacer/portion`` bytes of waiting requests, and by the decoder's limits.
final class NegotiationHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    struct NotNegotiated: Error {}

    static let hasBody = Problem(.badRequest, "A WebSocket handshake has no body")

    struct Timeouts {
        /// How long a request may take. Its body gets additional time according to ``NegotiationHandler/bodyRate``.
        var request: TimeAmount
        /// How long a client may accept nothing of its responses.
        var close: TimeAmount
    }

    enum State {
        /// Every request is answered.
        case idle
        /// The router handles a request.
        case serving(Exchange)
        /// A valid handshake has arrived; its end must follow.
        case upgrading(HTTPRequestHead, Handshake)
        /// The socket becomes a WebSocket.
        case upgraded
        /// The socket becomes an event stream.
        case streaming
        /// The last response is on its way; further input is ignored.
        case lingering
    }

    /// An event from the decoder.
    enum Arrival {
        case part(HTTPServerRequestPart)
        /// An error; the input after it cannot be parsed.
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
    /// Whether this channel has handlers for the router.
    var isConfigured = false
    private(set) var context: ChannelHandlerContext?
    var state = State.idle
    /// Decoded events that wait for their turn.
    var waiting = CircularBuffer<Arrival>()
    var headWatch = HeadWatch()
    /// Ends a request that is not complete in time.
    var deadline: Scheduled<Void>?
    /// Closes the connection unless the client accepts some of its responses in time.
    var sendingDeadline: Scheduled<Void>?
    var atWork: (() -> Void)?
    /// The stream that gets the socket instead of the response that is written next.
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
        // When the decoder is removed, it returns bytes that belong to no request.
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
            // Until the drain is over, this connection still tells load balancers that the server is not ready.
            let channel = context.channel
            gate.afterDrain(on: context.eventLoop) {
                if channel.isActive { context.fireUserInboundEventTriggered(event) }
            }
        case (is ChannelShouldQuiesceEvent, .serving):
            // No drain comes that would end what waits.
            endWork()
            context.fireUserInboundEventTriggered(event)
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

    /// Whether the decoder may continue: no decoded event is waiting.
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

    /// Handles the events that waited for a response to end.
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

    /// Calls `end` when the client disconnects or closes its sending side before its response is complete. Calls it at
    /// once if the client has already done so.
    ///
    /// Until something is written, a closed connection looks the same as a half-closed one. So the handler waits for
    /// neither.
    func endWithClient(_ end: @escaping () -> Void) {
        guard !pacer.hasEnded, case .serving(let exchange) = state, !exchange.isBroken else { return end() }
        atWork = end
    }

    /// The client has closed its sending side. There may be input before this that is not decoded yet.
    func inputEnded() {
        endWork()
    }

    func endWork() {
        atWork.take()?()
    }
}

/// An outbound event that asks for the body of a request with `Expect: 100-continue`.
struct BodyIsWanted {}
