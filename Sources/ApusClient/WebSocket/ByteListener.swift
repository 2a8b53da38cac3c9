import NIOCore

/// Tells a client's handler that bytes have come, before they are whole frames: a long message takes long to come.
final class ByteListener: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let handler: WebSocketClientHandler

    init(_ handler: WebSocketClientHandler) {
        self.handler = handler
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        handler.heard()
        context.fireChannelRead(data)
    }
}
