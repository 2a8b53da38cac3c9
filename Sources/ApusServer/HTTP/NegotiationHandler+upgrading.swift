import ApusSockets
import NIOCore
import NIOHTTP1

// Sockets that leave their channel as WebSockets or event streams.

extension NegotiationHandler {
    /// Answers the handshake, and gives the socket to a socket loop once everything read or written here is accounted
    /// for.
    func upgrade(_ head: HTTPRequestHead, _ handshake: Handshake, _ context: ChannelHandlerContext) {
        state = .upgraded
        cancelDeadline()
        let pipeline = context.pipeline.syncOperations
        let input = InputCollector()
        do {
            try context.channel.syncOptions?.setOption(.autoRead, value: false)
            // When the decoder is removed, it passes on what the client sent after the handshake.
            try pipeline.addHandler(input, position: .after(self))
        } catch {
            negotiated.fail(error)
            return context.close(promise: nil)
        }
        negotiated.succeed(.webSocket)
        let answered = context.eventLoop.makePromise(of: Void.self)
        let response = handshake.response(to: head.headers.first(name: "sec-websocket-key") ?? "")
        pipeline.removeHandler(encoder).assumeIsolated().whenComplete { _ in
            context.writeAndFlush(NIOAny(response), promise: answered)
        }
        answered.futureResult.and(pipeline.removeHandler(decoder)).assumeIsolated().whenComplete { result in
            if case .success = result {
                var bytes = input.bytes
                var rest = self.pacer.takePending()
                bytes.writeBuffer(&rest)
                self.handOver(handshake, bytes, context)
            }
            context.close(promise: nil)
        }
    }

    private func handOver(_ handshake: Handshake, _ input: ByteBuffer, _ context: ChannelHandlerContext) {
        if let socket = duplicateSocket(context) { gate.adopt(socket, after: handshake, input: input) }
    }

    /// Writes the head of a stream's response, and then gives the socket to the stream.
    func startStream(_ context: ChannelHandlerContext) {
        guard let stream = stream.take() else { return }
        state = .streaming
        cancelDeadline()
        let answered = context.eventLoop.makePromise(of: Void.self)
        context.pipeline.syncOperations.removeHandler(encoder).assumeIsolated().whenComplete { _ in
            context.writeAndFlush(NIOAny(StreamGate.head()), promise: answered)
        }
        answered.futureResult.assumeIsolated().whenComplete { result in
            if case .success = result, let socket = self.duplicateSocket(context) {
                stream.start(on: socket)
            } else {
                stream.cancel()
            }
            context.close(promise: nil)
        }
    }

    /// A duplicate of the channel's socket, which stays open when the channel is closed.
    private func duplicateSocket(_ context: ChannelHandlerContext) -> Socket? {
        try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { try Socket(descriptor: $0).duplicated() }
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
