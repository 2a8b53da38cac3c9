import NIOCore
import NIOWebSocket

/// What came in and nobody took yet. All of it is on the connection's loop, which is not read while this is full.
final class Inbox: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let capacity: Int
    private var messages: CircularBuffer<TestClient.Message> = []
    private var waiting: (limit: Int, promise: EventLoopPromise<[TestClient.Message]>)?
    private var context: ChannelHandlerContext?
    private var isReadHeld = false
    private var isLeaving = false

    init(capacity: Int) {
        self.capacity = capacity
    }

    /// Waits for messages and takes at most `limit`; none at the end.
    func take(_ limit: Int, on loop: any EventLoop) -> EventLoopFuture<[TestClient.Message]> {
        precondition(waiting == nil, "one at a time")
        let promise = loop.makePromise(of: [TestClient.Message].self)
        waiting = (limit, promise)
        hand()
        return promise.futureResult
    }

    /// Says goodbye; what comes until the server says it too is of no interest.
    func leave() {
        guard let context else { return }
        isLeaving = true
        context.writeAndFlush(wrapOutboundOut(.client(.connectionClose, ByteBuffer(bytes: [3, 232]))), promise: nil)
        readOn()
    }

    private func hand() {
        guard let waiting, !messages.isEmpty || context == nil else { return }
        self.waiting = nil
        let taken = Array(messages.prefix(waiting.limit))
        messages.removeFirst(taken.count)
        if messages.count <= capacity / 2 { readOn() }
        waiting.promise.succeed(taken)
    }

    private func readOn() {
        guard isReadHeld else { return }
        isReadHeld = false
        context?.read()
    }

    // MARK: ChannelDuplexHandler

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        hand()
    }

    func read(context: ChannelHandlerContext) {
        isReadHeld = messages.count >= capacity && !isLeaving
        if !isReadHeld { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        if frame.opcode == .connectionClose { context.close(promise: nil) }
        guard !isLeaving else { return }
        messages.append(frame.opcode == .text ? .init(String(buffer: frame.data)) : .other("\(frame.opcode)"))
        hand()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

extension WebSocketFrame {
    /// A whole message, masked as a client's must be.
    static func client(_ opcode: WebSocketOpcode, _ data: ByteBuffer) -> WebSocketFrame {
        WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
    }
}
