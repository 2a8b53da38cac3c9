import ApusSockets
import ApusTLS
import NIOCore
import NIOHTTP1

// Sockets that leave their channel as WebSockets or event streams.

extension HTTPConnectionHandler {
    /// Answers the handshake, and gives the socket to a socket loop once everything read or written here is accounted
    /// for.
    func upgrade(_ head: HTTPRequestHead, _ handshake: Handshake, _ context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        let input = InputCollector()
        do {
            try context.channel.syncOptions?.setOption(.autoRead, value: false)
            // When the decoder is removed, it passes on what the client sent after the handshake.
            try pipeline.addHandler(input, position: .after(self))
        } catch {
            return context.close(promise: nil)
        }
        let response = handshake.response(to: head.headers.first(name: "sec-websocket-key") ?? "")
        let answered = writeUnencoded(response, context)
        answered.and(pipeline.removeHandler(decoder)).assumeIsolated().whenComplete { result in
            if case .success = result, let transport = Self.takeTransport(context) {
                var bytes = input.bytes
                var rest = self.pacer.takePending()
                bytes.writeBuffer(&rest)
                self.gate.adopt(transport, after: handshake, input: bytes)
            }
            context.close(promise: nil)
        }
    }

    /// Writes the head of a stream's response, and then gives the socket to the stream.
    func start(_ stream: OpenStream, _ context: ChannelHandlerContext) {
        writeUnencoded(stream.head, context).assumeIsolated().whenComplete { result in
            if case .success = result, let transport = Self.takeTransport(context) {
                stream.start(on: transport)
            } else {
                stream.cancel()
            }
            context.close(promise: nil)
        }
    }

    /// Writes the last bytes that go through the channel.
    private func writeUnencoded(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) -> EventLoopFuture<Void> {
        let written = context.eventLoop.makePromise(of: Void.self)
        context.pipeline.syncOperations.removeHandler(encoder).assumeIsolated().whenComplete { _ in
            context.writeAndFlush(NIOAny(bytes), promise: written)
        }
        return written.futureResult
    }

    /// A duplicate of the channel's socket, which stays open when the channel is closed, with its TLS; `nil` if there
    /// is none.
    ///
    /// This is the one place where an HTTP connection has to be a plain socket.
    private static func takeTransport(_ context: ChannelHandlerContext) -> DetachedTransport? {
        let pipeline = context.pipeline.syncOperations
        let socket = try? pipeline.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
            try Socket(descriptor: $0).duplicated()
        }
        return socket.map { DetachedTransport($0, tls: (try? pipeline.handler(type: TLSHandler.self))?.detach()) }
    }
}

/// Collects the input that follows a handshake.
private final class InputCollector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private(set) var bytes = ByteBuffer()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var more = unwrapInboundIn(data)
        bytes.writeBuffer(&more)
    }
}
