import ApusProtocol
import NIOCore
import NIOEmbedded
import Testing

@testable import ApusServer

/// Answers, events and control frames that meet in front of a socket that takes nothing.
@Suite struct ReplyOrderTests {
    private func event(_ text: String) -> ByteBuffer { ServerFrame.text(text) }

    @Test func `answers and pongs go before events that wait`() throws {
        let peer = try EmbeddedConnection.echo()
        peer.setWritable(false)
        peer.connection.write(event("event"))
        try peer.send(.text("answer"), .ping("pong"))
        peer.setWritable(true)
        #expect(try peer.texts() == ["answer", "pong", "event"])
    }

    @Test func `no ping is added to what waits for a full socket`() throws {
        var settings = ServerConfiguration()
        settings.timeouts.pingInterval = .milliseconds(1000)
        let peer = try EmbeddedConnection.echo(on: EmbeddedLoop(settings: settings))
        peer.setWritable(false)
        peer.connection.write(event("event"))
        peer.connection.tick(now: peer.owner.context.monotonicNow() + 1500)
        peer.setWritable(true)
        let opcodes = try peer.frames().map(\.opcode)
        #expect(opcodes == [Opcode.text.rawValue])
    }

    @Test func `a close goes behind all that was written`() throws {
        let peer = try EmbeddedConnection.echo()
        peer.setWritable(false)
        peer.connection.write(event("event"))
        try peer.send(.text("answer"))
        peer.connection.disconnect(.shutdown)
        peer.connection.write(event("late"))
        peer.setWritable(true)
        #expect(try peer.frames().map { $0.close ?? $0.text } == ["answer", "event", "1001 SHUTDOWN"])
    }

    @Test func `the answer to a close goes behind all that was written, and the socket is closed after it`() throws {
        let peer = try EmbeddedConnection.echo()
        peer.setWritable(false)
        peer.connection.write(event("event"))
        try peer.send(.text("answer"), .close(1000))
        #expect(peer.isOpen)
        peer.setWritable(true)
        #expect(try peer.frames().map { $0.close ?? $0.text } == ["event", "answer", "1000"])
        #expect(!peer.isOpen)
    }

    @Test func `kept in order answers stay behind events, and loose ones go before the next events again`() throws {
        let peer = try EmbeddedConnection.echo()
        peer.setWritable(false)
        peer.connection.write(event("event 1"))
        peer.connection.keepRepliesInOrder()
        try peer.send(.text("answer 1"), .text("answer 2"))
        peer.setWritable(true)
        #expect(try peer.texts() == ["event 1", "answer 1", "answer 2"])
        peer.setWritable(false)
        peer.connection.write(event("event 2"))
        try peer.send(.text("answer 3"))
        peer.setWritable(true)
        #expect(try peer.texts() == ["answer 3", "event 2"])
    }

    @Test func `answers that are kept in order are bounded like others`() throws {
        let peer = try EmbeddedConnection.echo()
        let text = String(repeating: "x", count: 10_000)
        peer.setWritable(false)
        peer.connection.write(event("event"))
        peer.connection.keepRepliesInOrder()
        var sent = 0
        while peer.isReading, sent < 100 {
            try peer.send(.text(text))
            sent += 1
        }
        #expect(sent == WebSocketConnection.maxPendingReplies / 10_004 + 1)
        peer.setWritable(true)
        #expect(try peer.texts() == ["event"] + Array(repeating: text, count: sent))
        #expect(peer.isReading)
    }

    @Test func `a session hears why it is to end, once`() throws {
        let session = ScriptedSession()
        let peer = try EmbeddedConnection { _ in session }
        peer.connection.disconnect(.slowConsumer)
        peer.connection.disconnect(.shutdown)
        #expect(session.disconnects == [.slowConsumer] && session.hasEnded)
        let other = ScriptedSession()
        try EmbeddedConnection { _ in other }.send(ClientFrame(opcode: 3))
        #expect(other.disconnects == [.protocolError] && other.hasEnded)
        let third = ScriptedSession()
        try EmbeddedConnection { _ in third }.send(.close(1000))
        #expect(third.disconnects.isEmpty && third.hasEnded)
    }
}
