import ApusSockets
import NIOCore

/// Limits what the decoder gets: nothing while a response is outstanding, and only a portion at a time. Also tracks how
/// much of the responses the socket has accepted.
///
/// ```
/// socket ──► InputPacer ──► decoder ──► HTTPConnectionHandler
///            └─ input behind the current request, not decoded
/// ```
/// A client may send requests without waiting for responses. A decoded request takes many times its size on the wire.
/// So all input beyond ``portion`` bytes waits here undecoded, and input beyond one read waits in the kernel. When the
/// client closes its sending side, the kernel delivers everything it has: up to the size of its receive buffer.
final class InputPacer: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// Whether it reads ahead of the decoder: until something comes, which then waits here. Through TLS, nothing else
    /// tells that the client has closed its sending side.
    var readsAhead = false
    /// How many bytes are decoded at a time.
    static let portion = 16 * 1024

    /// The handler that gets the decoded input.
    weak var handler: HTTPConnectionHandler?
    private var context: ChannelHandlerContext?
    private var pending = ByteBuffer()
    /// Whether the client has closed its sending side. `isEndTold` says whether the decoder knows.
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
        handler?.received(bytes)
        if pending.readableBytes == 0 { pending = bytes } else { pending.writeBuffer(&bytes) }
        pass(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        // Read here: a handler that holds reads back because nobody consumes its input would do so forever.
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

    private var holds: Bool {
        !isDiscarding && (pending.readableBytes > 0 || !readsAhead && handler?.wantsInput == false)
    }

    /// Whether something is held back: bytes, the end of input, or a read request.
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

    /// Continues because the handler wants input again.
    func resume() {
        guard let context else { return }
        if pending.readableBytes > 0 || hasEnded && !isEndTold {
            handler?.received(pending)
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

    /// Continues to read, but discards all input.
    func discard() {
        isDiscarding = true
        pending = ByteBuffer()
        context?.read()
    }

    /// Removes and returns the input that was not passed on.
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

    /// What has become of the responses. What the socket has accepted says little about a slow client, because a socket
    /// accepts megabytes at once: bytes arrive when the peer has acknowledged them, where the kernel says so.
    var output: HTTPConnectionState.Output {
        let inKernel = try? context?.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { Int(Socket(descriptor: $0).progress?.waiting ?? 0) }
        let unsent = unsent
        return HTTPConnectionState.Output(unsent: unsent, arrived: written &- unsent &- (inKernel ?? 0))
    }

    /// A future that completes when everything written is in the kernel.
    func whenSent() -> EventLoopFuture<Void>? {
        guard let context else { return nil }
        let sent = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(.byteBuffer(ByteBuffer())), promise: sent)
        return sent.futureResult
    }
}
