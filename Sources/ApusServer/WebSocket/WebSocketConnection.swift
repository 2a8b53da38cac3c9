import ApusProtocol
import Logging
import NIOCore

/// The last handler of a WebSocket's channel: frames in, frames out, pings and the closing handshake (RFC 6455).
///
/// Lives on its event loop. What it holds is bounded: one message that is not complete yet, one message its session has
/// put off, and the replies to what it reads: when ``maxPendingReplies`` bytes of these wait for a socket that takes
/// nothing, it stops reading.
final class WebSocketConnection: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
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
    private let makeSession: (WebSocketConnection) -> any WebSocketSession
    private var session: (any WebSocketSession)?
    private var context: ChannelHandlerContext?
    private var phase = Phase.open
    private var assembler: MessageAssembler
    /// The start of a frame whose rest has not come.
    private var partial: ByteBuffer?
    /// A message the session asked to get again; while there is one, nothing is read.
    private var postponed: (message: ByteBuffer, isText: Bool)?
    private var pendingReplies = 0
    private var isReadHeld = false
    private var outbox = Outbox(socket: nil)
    /// Whether all that is unflushed is a buffer of replies, which nobody else holds.
    private var hasOnlyReplies = false
    private var keepalive: Keepalive
    /// When the connection is cut if the closing handshake has not ended it, on the worker's clock.
    private var closeDeadline: Int64 = .max
    /// Its place in its worker's list.
    var workerIndex = 0

    init(id: UInt64, worker: Worker, makeSession: @escaping (WebSocketConnection) -> any WebSocketSession) {
        self.id = id
        self.worker = worker
        self.makeSession = makeSession
        self.assembler = MessageAssembler(maxMessage: worker.settings.maxMessage)
        self.keepalive = Keepalive(now: worker.monotonicNow(), settings: worker.settings)
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let socket = try? context.channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
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
        guard context.channel.isWritable else { return }
        pendingReplies = 0
        releaseRead()
        session?.becameWritable()
    }

    func read(context: ChannelHandlerContext) {
        if postponed != nil || pendingReplies > Self.maxPendingReplies {
            isReadHeld = true
        } else {
            context.read()
        }
    }

    private func releaseRead() {
        guard isReadHeld, postponed == nil, pendingReplies <= Self.maxPendingReplies else { return }
        isReadHeld = false
        context?.read()
    }

    // MARK: Frames in

    /// Keeps what could not be worked off yet, in memory of its own: the channel uses its buffers again.
    private func keep(_ bytes: inout ByteBuffer) {
        if partial != nil {
            partial?.writeBuffer(&bytes)
        } else {
            var own = bytes
            if own.readerIndex > 0 || own.storageCapacity > 2 * own.readableBytes {
                own = ByteBuffer(buffer: bytes)
            }
            partial = own
        }
    }

    private func consume(_ bytes: inout ByteBuffer) {
        while phase == .open || phase == .closing, postponed == nil {
            let result = bytes.withUnsafeReadableBytes { FrameHead.parse($0, maxMessage: assembler.maxMessage) }
            switch result {
            case .incomplete:
                return
            case .failure(let disconnect):
                fail(disconnect)
            case .head(let head):
                let size = head.size + head.payload
                guard bytes.readableBytes >= size else { return }
                bytes.withUnsafeReadableBytes { readable in
                    let payload = UnsafeRawBufferPointer(rebasing: readable[head.size..<size])
                    worker.scratch.withBytes(head.payload) { scratch in
                        guard let target = scratch.baseAddress else { return }
                        let isASCII = unmask(payload, mask: head.mask, to: target)
                        let plain = UnsafeRawBufferPointer(start: target, count: head.payload)
                        handle(head, payload: plain, isASCII: isASCII)
                    }
                }
                bytes.moveReaderIndex(forwardBy: size)
            }
        }
        if phase != .open, phase != .closing { bytes.clear() }
    }

    private func handle(_ head: FrameHead, payload: UnsafeRawBufferPointer, isASCII: Bool) {
        switch head.opcode {
        case .close:
            receivedClose(payload)
        case .ping where phase == .open:
            writeControlFrame(.pong, payload, to: &worker.replies)
        case .pong:
            keepalive.receivedPong()
        case .continuation, .text, .binary:
            // After our own close frame no message counts any more.
            guard phase == .open else { return }
            switch assembler.consume(head, payload: payload, isASCII: isASCII) {
            case .message(let isText):
                deliver(payload, isText: isText)
            case .assembled(let message, let isText):
                message.withUnsafeReadableBytes { deliver($0, isText: isText) }
            case .incomplete:
                break
            case .failure(let disconnect):
                fail(disconnect)
            }
        case .ping:
            break
        }
    }

    private func deliver(_ message: UnsafeRawBufferPointer, isText: Bool) {
        guard let session else { return }
        if !session.received(message, isText: isText), phase == .open {
            postponed = (ByteBuffer(bytes: message), isText)
            keepalive.pause()
        }
    }

    /// Gives the session the message it put off, and goes on with what came behind it.
    func continueReading() {
        guard let (message, isText) = postponed.take() else { return }
        keepalive.resume(now: worker.monotonicNow())
        worker.beginBurst()
        message.withUnsafeReadableBytes { deliver($0, isText: isText) }
        if postponed == nil, var bytes = partial.take() {
            consume(&bytes)
            if bytes.readableBytes > 0 { keep(&bytes) }
        }
        sendReplies()
        flush()
        releaseRead()
    }

    private func receivedClose(_ body: UnsafeRawBufferPointer) {
        guard phase == .open else {
            // The answer to our own: the handshake is complete and the server is the one to hang up (section 7.1.1).
            phase = .discarding
            context?.close(promise: nil)
            return
        }
        switch CloseFrame.parse(body) {
        case .failure(let disconnect):
            fail(disconnect)
        case .code(let code):
            log("closed by the client", code: code)
            CloseFrame.write(code: code, reason: "", to: &worker.replies)
            sendReplies()
            phase = .discarding
            endSession()
            hangUpAfterFlush(mode: .all)
        }
    }

    // MARK: Frames out

    /// Whether the socket takes more now.
    var isWritable: Bool {
        guard phase == .open, let context else { return false }
        return context.channel.isWritable
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
        guard outbox.hasUnflushed, let context, context.channel.isActive else { return }
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
        guard let context, phase == .open else { return }
        if !context.channel.isWritable { pendingReplies += replies.readableBytes }
        let isFirst = !hasUnflushed
        write(replies)
        hasOnlyReplies = isFirst
    }

    // MARK: Closing

    /// Ends the connection in good order: close frame, the peer's close frame, end of the socket.
    func disconnect(_ reason: Disconnect) {
        guard phase == .open else { return }
        log("disconnecting", code: reason.code, reason: reason.reason)
        writeClose(reason)
        phase = .closing
        endSession()
        flush()
    }

    /// Fails the connection (RFC 6455 section 7.1.7): close frame, then nothing of what the peer sends counts.
    private func fail(_ reason: Disconnect) {
        guard phase == .open else {
            context?.close(promise: nil)
            return
        }
        log("client broke the protocol", code: reason.code, reason: reason.reason)
        writeClose(reason)
        phase = .discarding
        endSession()
        // Only our direction is closed: hanging up on unread bytes would have the kernel take our close frame back.
        hangUpAfterFlush(mode: .output)
    }

    private func writeClose(_ reason: Disconnect) {
        CloseFrame.write(code: reason.code, reason: reason.reason, to: &worker.replies)
        sendReplies()
        closeDeadline = worker.monotonicNow() + worker.settings.closeTimeout
    }

    private func hangUpAfterFlush(mode: CloseMode) {
        guard let context else { return }
        closeDeadline = min(closeDeadline, worker.monotonicNow() + worker.settings.closeTimeout)
        flush()
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in
            channel.close(mode: mode, promise: nil)
        }
    }

    private func endSession() {
        session.take()?.ended()
        postponed = nil
        partial = nil
    }

    private func end() {
        guard phase != .closed else { return }
        phase = .closed
        endSession()
        context = nil
        worker.remove(self)
    }

    /// At shutdown: closes the connection once everything has been delivered.
    func closeIfDrained() {
        // A publish that was put off is refused like any other command now.
        continueReading()
        if session?.isDrained ?? true { disconnect(.shutdown) }
    }

    /// Cuts the connection without ado, at the end of a drain.
    func abort() {
        context?.close(promise: nil)
    }

    private func log(_ message: Logger.Message, code: UInt16?, reason: String = "") {
        worker.logger.debug(
            message,
            metadata: [
                "connection.id": "\(id)", "close.code": "\(code.map(String.init) ?? "none")", "reason": "\(reason)",
            ]
        )
    }
}

// MARK: Time

extension WebSocketConnection {
    /// Called about once a second: pings, and the deadlines of pongs and closes.
    func tick(now: Int64) {
        if now >= closeDeadline { return abort() }
        guard phase == .open else { return }
        session?.tick(now: now)
        switch keepalive.tick(now: now) {
        case .nothing:
            break
        case .ping:
            var frame = ByteBuffer()
            writeControlFrame(.ping, [], to: &frame)
            write(frame)
            flush()
        case .noPong:
            disconnect(.noPong)
        }
    }
}
