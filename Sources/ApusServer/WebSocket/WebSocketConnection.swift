import ApusProtocol
import Logging
import NIOCore

/// The last handler of a WebSocket's channel: frames in, frames out, pings and the closing handshake (RFC 6455).
///
/// Lives on its event loop. What it holds is bounded: one message that is not complete yet, one message its session has
/// put off, and the replies to what it reads: when ``maxPendingReplies`` bytes of these wait for a socket that takes
/// nothing, it stops reading.
final class WebSocketConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase {
        case open
        /// Our close frame is on its way; the peer's has not come.
        case closing
        /// The peer broke the protocol or is being let go: what it still sends is thrown away until it hangs up.
        case discarding
        case closed
    }

    /// How many bytes of replies may wait for a peer that sends but does not read.
    static let maxPendingReplies = 64 * 1024

    let id: UInt64
    let worker: Worker
    private let sendsDirectly: Bool
    private let makeSession: (WebSocketConnection) -> any WebSocketSession
    var session: (any WebSocketSession)?
    var context: ChannelHandlerContext?
    var phase = Phase.open
    var assembler: MessageAssembler
    /// The start of a frame whose rest has not come.
    var partial: ByteBuffer?
    /// A message the session asked to get again; while there is one, nothing is read.
    var postponed: (message: ByteBuffer, isText: Bool)?
    var pendingReplies = 0
    private var isReadHeld = false
    /// The channel's own answer takes several calls, and is asked for with every delivery.
    private var isChannelWritable = true
    private var outbox = Outbox(socket: nil)
    /// Whether all that is unflushed is a buffer of replies, which nobody else holds.
    private var hasOnlyReplies = false
    var keepalive: Keepalive
    /// When the connection is cut if the closing handshake has not ended it, on the worker's clock.
    var closeDeadline: Int64 = .max
    /// Its place in its worker's list.
    var workerIndex = 0

    /// - Parameter sendsDirectly: whether frames may go past the channel to its socket. Only where no other handler, as one
    ///   for TLS, changes what is written.
    init(
        id: UInt64,
        worker: Worker,
        sendsDirectly: Bool,
        makeSession: @escaping (WebSocketConnection) -> any WebSocketSession
    ) {
        self.id = id
        self.worker = worker
        self.sendsDirectly = sendsDirectly
        self.makeSession = makeSession
        self.assembler = MessageAssembler(maxMessage: worker.settings.maxMessage)
        self.keepalive = Keepalive(now: worker.monotonicNow(), settings: worker.settings)
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let socket =
            !sendsDirectly
            ? nil
            : try? context.channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
                of: NIOBSDSocket.Handle.self
            ) { $0 }
        outbox = Outbox(socket: socket)
        session = makeSession(self)
        worker.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        worker.logger.debug("socket failed", metadata: ["connection.id": "\(id)", "error": "\(error)"])
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // The peer sends nothing more. Without a closing handshake there is nobody left to talk to.
        if let event = event as? ChannelEvent, event == .inputClosed {
            context.close(promise: nil)
            return
        }
        // The worker decides when a connection goes at shutdown: ChannelShouldQuiesceEvent is not for this handler.
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        guard phase == .open || phase == .closing else { return }
        guard postponed == nil else { return keep(&bytes) }
        if var start = partial.take() {
            start.writeBuffer(&bytes)
            bytes = start
        }
        worker.beginBurst()
        consume(&bytes)
        if bytes.readableBytes > 0 { keep(&bytes) }
        sendReplies()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isChannelWritable = context.channel.isWritable
        guard isChannelWritable else { return }
        pendingReplies = 0
        releaseRead()
        session?.becameWritable()
    }

    func read(context: ChannelHandlerContext) {
        if postponed != nil || pendingReplies > Self.maxPendingReplies {
            isReadHeld = true
            keepalive.pause()
        } else {
            context.read()
        }
    }

    func releaseRead() {
        guard isReadHeld, postponed == nil, pendingReplies <= Self.maxPendingReplies else { return }
        isReadHeld = false
        keepalive.resume(now: worker.monotonicNow())
        context?.read()
    }

    // MARK: Frames out

    /// Whether the socket takes more now.
    var isWritable: Bool {
        phase == .open && isChannelWritable
    }

    /// Whether something was written that ``flush()`` has not sent.
    var hasUnflushed: Bool { outbox.hasUnflushed }

    /// Writes whole frames; ``flush()`` sends them.
    func write(_ frames: ByteBuffer) {
        guard phase == .open, let context else { return }
        hasOnlyReplies = false
        outbox.write(frames, context)
    }

    func flush() {
        guard outbox.hasUnflushed, let context else { return }
        switch outbox.flush(context) {
        case .sent(let buffer): if hasOnlyReplies { worker.recycle(buffer) }
        case .handedOver: break
        case .failed: context.close(promise: nil)
        }
    }

    /// Hands the replies of this burst to the channel, in one piece.
    func sendReplies() {
        guard worker.replies.readableBytes > 0 else { return }
        let replies = worker.takeReplies()
        guard phase == .open else { return }
        if !isChannelWritable { pendingReplies += replies.readableBytes }
        let isFirst = !hasUnflushed
        write(replies)
        hasOnlyReplies = isFirst
    }
}
