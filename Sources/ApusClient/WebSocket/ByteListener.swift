import NIOCore

/// Tells the client's handler that bytes have arrived, before they are complete frames: a long message takes long to
/// arrive.
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
