import NIOCore
import NIOWebSocket

/// The last handler of a client's pipeline. It turns frames into messages for the inbox.
///
/// All state is used only on the channel's event loop. Reading stops while the inbox is full. That fills the socket's
/// buffers and slows the server: back-pressure from a slow reader. Pings wait too, then.
final class WebSocketClientHandler: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private enum Phase {
        case open
        /// The client has sent its close frame and waits for the server's.
        case closeSent
        /// Both sides have sent their close frames, or the connection has failed. Only the end of TCP is missing.
        case closed
    }

    private let inbox: WebSocketInbox
    private let deliversControlFrames: Bool
    private var assembler: FrameJoiner
    private var phase = Phase.open
    private var isPaused = false
    private var wantsRead = false
    private var context: ChannelHandlerContext?
    private let idleTimeout: TimeAmount?
    private var idleCheck: Scheduled<Void>?
    private var hasHeard = true
    private var isPinged = false
    /// How many bytes waited for the socket at the last check.
    private var waitingBytes = 0

    init(inbox: WebSocketInbox, configuration: WebSocketConnection.Configuration) {
        self.inbox = inbox
        deliversControlFrames = configuration.deliversControlFrames
        idleTimeout = configuration.idleTimeout
        assembler = FrameJoiner(maxMessageBytes: configuration.maxMessageBytes)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        checkForLife(context: context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        idleCheck?.cancel()
        inbox.finish()
    }

    func read(context: ChannelHandlerContext) {
        if isPaused {
            wantsRead = true
        } else {
            context.read()
        }
    }

    /// Resumes reading because the inbox has room again.
    func resume() {
        isPaused = false
        guard wantsRead, let context else { return }
        wantsRead = false
        context.read()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if unwrapOutboundIn(data).opcode == .connectionClose {
            // Each side sends one close frame (RFC 6455, 5.5.1). The server's may have been answered already.
            guard phase == .open else { return promise?.succeed() ?? () }
            phase = .closeSent
            // The receiver may have stopped taking messages, and the server's close frame comes after them.
            resume()
        }
        context.write(data, promise: promise)
    }

    /// Records received bytes. Even part of a frame is a sign of life.
    func heard() {
        hasHeard = true
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard phase != .closed else { return }
        switch assembler.receive(unwrapInboundIn(data)) {
        case .none:
            break
        case .message(let message):
            enqueue(message)
        case .ping(let data):
            if phase == .open { send(.pong, data, context: context) }
            if deliversControlFrames { enqueue(.ping(data)) }
        case .pong(let data):
            if deliversControlFrames { enqueue(.pong(data)) }
        case .close(let close):
            receivedClose(close, context: context)
        case .violation(let code, let what):
            fail(ClientError(.protocolViolation, "the server sent \(what)"), code: code, context: context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if phase != .closed {
            phase = .closed
            _ = inbox.push(.close(WebSocketClose(code: WebSocketClose.abnormal)))
        }
        inbox.finish()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard phase != .closed else { return }
        if let error = error as? NIOWebSocketError {
            let code: WebSocketErrorCode = error == .invalidFrameLength ? .messageTooLarge : .protocolError
            fail(
                ClientError(.protocolViolation, "the server sent a bad frame: \(error)", cause: error),
                code: code,
                context: context
            )
        } else {
            // A broken socket (reset, timed out) is a close without a close frame.
            context.close(promise: nil)
        }
    }

    /// Checks every `idleTimeout` whether anything arrived since the last check.
    private func checkForLife(context: ChannelHandlerContext) {
        guard let idleTimeout else { return }
        idleCheck = context.eventLoop.assumeIsolated().scheduleTask(in: idleTimeout) {
            guard let context = self.context, self.phase == .open else { return }
            // A paused handler hears nothing, and a pong may have to wait behind data that is being sent.
            if self.hasHeard || self.isPaused || self.isSending(context) {
                self.isPinged = false
            } else if self.isPinged {
                return context.close(promise: nil)
            } else {
                self.isPinged = true
                self.send(.ping, ByteBuffer(), context: context)
            }
            self.hasHeard = false
            self.checkForLife(context: context)
        }
    }

    /// Whether the socket has accepted waiting data since the last check.
    private func isSending(_ context: ChannelHandlerContext) -> Bool {
        let waiting = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        defer { waitingBytes = waiting }
        return waiting < waitingBytes
    }

    private func enqueue(_ message: WebSocketMessage) {
        // After the client's close frame, the inbox may exceed its limit by what the server sends until it sees that
        // frame.
        if !inbox.push(message), phase == .open { isPaused = true }
    }

    private func receivedClose(_ close: WebSocketClose, context: ChannelHandlerContext) {
        if phase == .open {
            var data = ByteBuffer()
            if close.code != WebSocketClose.noCode { data.writeInteger(close.code) }
            send(.connectionClose, data, context: context)
        }
        phase = .closed
        _ = inbox.push(.close(close))
        inbox.finish()
        closeSoon(context: context)
    }

    private func fail(_ error: ClientError, code: WebSocketErrorCode, context: ChannelHandlerContext) {
        if phase == .open {
            var data = ByteBuffer()
            data.write(webSocketErrorCode: code)
            send(.connectionClose, data, context: context)
        }
        phase = .closed
        inbox.finish(failure: error)
        closeSoon(context: context)
    }

    /// The server should close TCP first (RFC 6455, 7.1.1). The client waits one second for that.
    private func closeSoon(context: ChannelHandlerContext) {
        resume()
        context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) {
            self.context?.close(promise: nil)
        }
    }

    private func send(_ opcode: WebSocketOpcode, _ data: ByteBuffer, context: ChannelHandlerContext) {
        let frame = WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }
}
