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

    /// How many bytes of replies may wait for a peer that sends but does not read, before it is read no more.
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
    private var isReadHeld = false
    private var remoteAddress: SocketAddress?
    private(set) var outbox = Outbox(socket: nil) {}
    /// Whether all that is unflushed is a buffer of replies, which nobody else holds.
    private var hasOnlyReplies = false
    /// What is done when the last byte is in the kernel.
    var closeWhenDrained: CloseMode?
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

    /// `127.0.0.1:50123`; empty when it is not known.
    var peerAddress: String {
        remoteAddress?.hostAndPort ?? ""
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        // A channel that is closed has none any more.
        remoteAddress = context.channel.remoteAddress
        let socket =
            !sendsDirectly
            ? nil
            : try? context.channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
                of: NIOBSDSocket.Handle.self
            ) { $0 }
        outbox = Outbox(socket: socket) { [weak self] in self?.outboxBecameEmpty() }
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
        worker.counters.receivedBytes += UInt64(bytes.readableBytes)
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

    func read(context: ChannelHandlerContext) {
        if postponed != nil || hasTooManyReplies {
            isReadHeld = true
            keepalive.pause()
        } else {
            context.read()
        }
    }

    func releaseRead() {
        guard isReadHeld, postponed == nil, !hasTooManyReplies else { return }
        isReadHeld = false
        keepalive.resume(now: worker.monotonicNow())
        context?.read()
    }

    private var hasTooManyReplies: Bool {
        phase == .open && outbox.answerBytes > Self.maxPendingReplies
    }

    private func outboxBecameEmpty() {
        if let mode = closeWhenDrained {
            context?.channel.close(mode: mode, promise: nil)
            return
        }
        releaseRead()
        session?.becameWritable()
    }

    // MARK: Frames out

    /// Whether the socket takes more now.
    var isWritable: Bool {
        phase == .open && outbox.isWritable
    }

    /// Whether something was written that ``flush()`` has not sent.
    var hasUnflushed: Bool { outbox.hasUnflushed }

    /// Writes whole frames that have their place among events; ``flush()`` sends them.
    func write(_ frames: ByteBuffer) {
        guard phase == .open, context != nil else { return }
        hasOnlyReplies = false
        worker.counters.sentBytes += UInt64(frames.readableBytes)
        outbox.writeEvents(frames)
    }

    /// Writes whole frames that go before events; ``flush()`` sends them.
    func writeControl(_ frames: ByteBuffer) {
        guard phase == .open, context != nil else { return }
        hasOnlyReplies = false
        worker.counters.sentBytes += UInt64(frames.readableBytes)
        outbox.writeControl(frames)
    }

    func flush() {
        guard outbox.hasUnflushed, let context else { return }
        switch outbox.flush(context) {
        case .sent(let buffer): if hasOnlyReplies { worker.recycle(buffer) }
        case .nothing: break
        case .failed: context.close(promise: nil)
        }
    }

    /// Writes the replies of this burst, in one piece.
    func sendReplies() {
        guard worker.replies.readableBytes > 0 else { return }
        let replies = worker.takeReplies()
        guard phase == .open else { return }
        let isFirst = !hasUnflushed
        writeControl(replies)
        hasOnlyReplies = isFirst
    }

    /// Keeps the replies from here on behind the events that still wait.
    func keepRepliesInOrder() {
        outbox.keepOrder()
    }
}

extension SocketAddress {
    /// `127.0.0.1:50123` or `[::1]:50123`.
    var hostAndPort: String {
        guard let ipAddress, let port else { return description }
        return ipAddress.contains(":") ? "[\(ipAddress)]:\(port)" : "\(ipAddress):\(port)"
    }
}
