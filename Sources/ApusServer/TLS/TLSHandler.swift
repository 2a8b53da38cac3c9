import ApusTLS
import NIOCore

/// A channel's TLS, after the handshake, which ``PendingConnection`` has done.
///
/// It keeps nothing of its own: what is received goes on opened, and what is written goes to the socket sealed.
final class TLSHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private var session: TLSSession?
    /// What was opened before the channel was there.
    private var opened: ByteBuffer
    private var hasEnded = false

    /// - Parameter opened: what the client has sent already, which comes first.
    init(_ session: TLSSession, opened: ByteBuffer) {
        self.session = session
        self.opened = opened
    }

    /// Takes TLS out of the channel, which then can neither receive nor send.
    func detach() -> DetachedTLS? {
        session.take()?.detach()
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        guard opened.readableBytes > 0 else { return }
        context.fireChannelRead(wrapInboundOut(opened))
        opened = ByteBuffer()
        context.fireChannelReadComplete()
    }

    // MARK: Input

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let session else { return }
        let sealed = unwrapInboundIn(data)
        var output = SealedOutput(capacity: TLSSession.recordOverhead)
        var plain = context.channel.allocator.buffer(capacity: sealed.readableBytes + TLSSession.recordSize)
        let result = sealed.withUnsafeReadableBytes { bytes in
            var rest = bytes
            return open(&rest, with: session, into: &plain, &output)
        }
        send(output, context)
        if plain.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(plain)) }
        switch result {
        case .bytes, .unfinished: break
        case .ended: end(context)
        case .failed: context.close(promise: nil)
        }
    }

    /// Opens all of it.
    private func open(
        _ sealed: inout UnsafeRawBufferPointer,
        with session: TLSSession,
        into plain: inout ByteBuffer,
        _ output: inout SealedOutput
    ) -> TLSSession.Opened {
        while true {
            var result = TLSSession.Opened.failed
            plain.writeWithUnsafeMutableBytes(minimumWritableBytes: TLSSession.recordSize) { space in
                result = session.open(&sealed, into: space, output: &output)
                switch result {
                case .bytes(let count), .unfinished(let count), .ended(let count): return count
                case .failed: return 0
                }
            }
            guard case .unfinished = result else { return result }
        }
    }

    private func send(_ output: borrowing SealedOutput, _ context: ChannelHandlerContext) {
        guard output.count > 0 else { return }
        context.writeAndFlush(wrapOutboundOut(.byteBuffer(ByteBuffer(bytes: output.bytes))), promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // The client's end of TLS comes before that of the socket, and says the same.
        if case ChannelEvent.inputClosed = event { end(context) } else { context.fireUserInboundEventTriggered(event) }
    }

    private func end(_ context: ChannelHandlerContext) {
        guard !hasEnded else { return }
        hasEnded = true
        context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    }

    // MARK: Output

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .byteBuffer(let plain) = unwrapOutboundIn(data), plain.readableBytes > 0 else {
            return context.write(data, promise: promise)
        }
        guard let sealed = seal(plain) else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return context.close(promise: nil)
        }
        context.write(wrapOutboundOut(.byteBuffer(sealed)), promise: promise)
    }

    private func seal(_ plain: ByteBuffer) -> ByteBuffer? {
        guard let session else { return nil }
        let records = plain.readableBytes / TLSSession.recordSize + 1
        var output = SealedOutput(capacity: plain.readableBytes + records * TLSSession.recordOverhead)
        let isSealed = plain.withUnsafeReadableBytes { bytes in
            var rest = bytes
            while rest.count > 0 {
                guard let count = session.seal(rest, output: &output) else { return false }
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
            return true
        }
        return isSealed ? ByteBuffer(bytes: output.bytes) : nil
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if let session, mode != .input {
            var output = SealedOutput(capacity: TLSSession.recordOverhead)
            session.close(output: &output)
            send(output, context)
        }
        context.close(mode: mode, promise: promise)
    }
}
