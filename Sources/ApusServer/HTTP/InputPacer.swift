import ApusSockets
import NIOCore

/// Gives the decoder no more than it can have: nothing while an answer is outstanding, and never much at once. Knows
/// what of the answers the socket has taken.
///
/// ```
/// socket ──► InputPacer ──► decoder ──► NegotiationHandler
///            └─ what came behind the request at work, as it came
/// ```
/// A client may send requests without waiting for answers. Decoded, each takes many times what it took on the wire; so
/// all but ``portion`` bytes wait here, and beyond what one read brings, in the kernel. Only the end of the input has
/// the kernel give up all that it has: as much as its receive buffer holds.
final class InputPacer: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// How many bytes are decoded in one piece.
    static let portion = 16 * 1024

    /// Whom the bytes are for.
    weak var handler: NegotiationHandler?
    private var context: ChannelHandlerContext?
    private var pending = ByteBuffer()
    /// The client sends nothing more, and whether the decoder has been told.
    private(set) var hasEnded = false
    private var isEndTold = false
    private var isReadHeld = false
    private var isDiscarding = false
    private var written = 0

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDiscarding else { return }
        var bytes = unwrapInboundIn(data)
        handler?.inputCame(bytes)
        if pending.readableBytes == 0 { pending = bytes } else { pending.writeBuffer(&bytes) }
        pass(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        // Whoever else holds reads back, for want of a taker, would do so for ever.
        if isDiscarding { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else { return context.fireUserInboundEventTriggered(event) }
        hasEnded = true
        handler?.inputEnded()
        pass(context)
    }

    func read(context: ChannelHandlerContext) {
        if holds { isReadHeld = true } else { context.read() }
    }

    private var holds: Bool { !isDiscarding && (pending.readableBytes > 0 || handler?.wantsInput == false) }

    /// Whether something was kept back: bytes, the end of them, or the wish to read more.
    var hasHeld: Bool { pending.readableBytes > 0 || hasEnded && !isEndTold || isReadHeld }

    private func pass(_ context: ChannelHandlerContext) {
        while handler?.wantsInput == true {
            if let bytes = pending.readSlice(length: min(pending.readableBytes, Self.portion)), bytes.readableBytes > 0
            {
                context.fireChannelRead(wrapInboundOut(bytes))
            } else {
                guard hasEnded, !isEndTold else { break }
                isEndTold = true
                context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            }
        }
        if pending.readableBytes == 0 { pending = ByteBuffer() }
    }

    /// Goes on: the handler wants input again.
    func resume() {
        guard let context else { return }
        if pending.readableBytes > 0 || hasEnded && !isEndTold {
            handler?.inputCame(pending)
            pass(context)
            context.fireChannelReadComplete()
        }
        releaseRead(context)
    }

    private func releaseRead(_ context: ChannelHandlerContext) {
        guard isReadHeld, !holds else { return }
        isReadHeld = false
        context.read()
    }

    /// Reads on, for nothing: what comes does not count any more.
    func discard() {
        isDiscarding = true
        pending = ByteBuffer()
        context?.read()
    }

    /// What has come and was not passed on.
    func takePending() -> ByteBuffer {
        defer { pending = ByteBuffer() }
        return pending
    }

    // MARK: Output

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        written &+= unwrapOutboundIn(data).readableBytes
        context.write(data, promise: promise)
    }

    /// How many bytes wait for the socket.
    var unsent: Int {
        (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// How many bytes have arrived: what a socket has taken tells little of a slow client, as it takes megabytes at
    /// once.
    var arrived: Int {
        let inKernel = try? context?.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { Int(Socket(descriptor: $0).progress?.waiting ?? 0) }
        return written &- unsent &- (inKernel ?? 0)
    }

    /// Done when all that was written is in the kernel.
    func whenSent() -> EventLoopFuture<Void>? {
        guard let context else { return nil }
        let sent = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(.byteBuffer(ByteBuffer())), promise: sent)
        return sent.futureResult
    }
}
