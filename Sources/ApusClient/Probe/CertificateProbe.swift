package import NIOCore
import NIOPosix
import NIOSSL

extension ServerAddress {
    /// When the server's certificate ends, in seconds since 1970; `nil` without TLS.
    ///
    /// Throws as a connection does: a certificate that is not trusted is `untrusted`.
    package func certificateEnd(patience: TimeAmount) async throws(ClientError) -> Int? {
        guard isSecure else { return nil }
        let context = try tls.context()
        let host = host
        let ended = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: Int?.self)
        do {
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(patience)
                .connect(to: self) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try WebSocketConnection.addTLS(context, host: host, to: channel)
                        try channel.pipeline.syncOperations.addHandler(HandshakeWaiter(ended: ended))
                        return channel
                    }
                }
            let timer = channel.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
            defer {
                timer.cancel()
                channel.close(promise: nil)
            }
            return try await ended.futureResult.get()
        } catch {
            // Without a connection nothing else completes it.
            ended.fail(error)
            throw ClientError.network(error, to: self)
        }
    }
}

/// Reads the certificate when the handshake is done.
private final class HandshakeWaiter: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let ended: EventLoopPromise<Int?>

    init(ended: EventLoopPromise<Int?>) {
        self.ended = ended
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // There is one as soon as the handshake is done, which is an event.
        if let certificate = try? context.pipeline.syncOperations.nioSSL_peerCertificate() {
            ended.succeed(Int(certificate.notValidAfter))
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        ended.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        ended.fail(ChannelError.eof)
        context.fireChannelInactive()
    }
}
