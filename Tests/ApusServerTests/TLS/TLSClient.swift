import ApusTLS
import NIOCore
import NIOEmbedded
import NIOSSL
import Testing

/// A client's side of TLS by another implementation, BoringSSL in swift-nio-ssl, without a socket.
final class TLSClient {
    private let channel = EmbeddedChannel()
    private let inbox = Inbox()

    private final class Inbox: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        var bytes: [UInt8] = []
        var error: (any Error)?
        var hasEnded = false

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            bytes += unwrapInboundIn(data).readableBytesView
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            self.error = error
        }

        func channelInactive(context: ChannelHandlerContext) {
            hasEnded = true
        }
    }

    init(version: TLSVersion = .tlsv13, protocols: [String] = [], host: String? = nil) throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.minimumTLSVersion = version
        configuration.maximumTLSVersion = version
        configuration.applicationProtocols = protocols
        let handler = try NIOSSLClientHandler(
            context: NIOSSLContext(configuration: configuration),
            serverHostname: host
        )
        try channel.pipeline.syncOperations.addHandlers([handler, inbox])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    deinit {
        // Not closed, which would wait for the server's `close_notify`.
        channel.pipeline.fireChannelInactive()
    }

    /// What was received, opened.
    var received: [UInt8] { inbox.bytes }
    var error: (any Error)? { inbox.error }
    /// Whether the server has said that nothing more comes.
    var hasEnded: Bool { inbox.hasEnded }

    /// Sealed bytes to send.
    func takeOutput() throws -> [UInt8] {
        var output: [UInt8] = []
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { output += buffer.readableBytesView }
        return output
    }

    /// Takes sealed bytes from the server.
    func receive(_ bytes: some Collection<UInt8>) {
        // It would take no bytes for the end.
        guard !bytes.isEmpty else { return }
        // An error is kept by the inbox.
        _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
    }

    func send(_ bytes: [UInt8]) {
        channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }

    func close() {
        channel.close(promise: nil)
    }
}
