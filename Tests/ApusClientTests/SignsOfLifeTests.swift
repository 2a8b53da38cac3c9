import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing

@testable import ApusClient

/// Connections to a server that is slow, or silent.
@Suite struct SignsOfLifeTests {
    private func channel() throws -> EmbeddedChannel {
        var configuration = WebSocketConnection.Configuration()
        configuration.idleTimeout = .seconds(30)
        let handler = WebSocketClientHandler(
            inbox: WebSocketInbox(messageLimit: 10, byteLimit: 1 << 20),
            configuration: configuration
        )
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandlers([
            ByteListener(handler), ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: 1 << 20)), handler,
        ])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    @Test func `a message that drips in keeps its connection`() throws {
        let channel = try channel()
        try channel.writeInbound(ByteBuffer(bytes: [0x81, 126, 0x10, 0]))
        for _ in 0..<100 {
            channel.embeddedEventLoop.advanceTime(by: .seconds(29))
            #expect(channel.isActive)
            try channel.writeInbound(ByteBuffer(bytes: [0x20]))
        }
        channel.embeddedEventLoop.advanceTime(by: .seconds(91))
        #expect(!channel.isActive)
    }

    @Test func `a server that is silent is pinged, and then left`() throws {
        let channel = try channel()
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(try channel.readOutbound(as: WebSocketFrame.self)?.opcode == .ping)
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(30))
        #expect(!channel.isActive)
    }
}
