import NIOCore
import NIOWebSocket
import Testing

@testable import ApusClient

@Suite("Frames from a server")
struct FrameJoinerTests {
    private func frame(_ opcode: WebSocketOpcode, _ text: String, fin: Bool = true) -> WebSocketFrame {
        WebSocketFrame(fin: fin, opcode: opcode, data: ByteBuffer(string: text))
    }

    @Test func `become one message when they are fragments, with a ping in between`() {
        var assembler = FrameJoiner(maxMessageBytes: 100)
        #expect(assembler.receive(frame(.text, "a", fin: false)) == .none)
        #expect(assembler.receive(frame(.ping, "p")) == .ping(ByteBuffer(string: "p")))
        #expect(assembler.receive(frame(.continuation, "b", fin: false)) == .none)
        #expect(assembler.receive(frame(.continuation, "c")) == .message(.text("abc")))
        #expect(assembler.receive(frame(.binary, "d")) == .message(.binary(ByteBuffer(string: "d"))))
    }

    @Test func `may split a character`() {
        var assembler = FrameJoiner(maxMessageBytes: 100)
        let bytes = Array("é".utf8)
        _ = assembler.receive(WebSocketFrame(fin: false, opcode: .text, data: ByteBuffer(bytes: bytes[..<1])))
        let last = WebSocketFrame(fin: true, opcode: .continuation, data: ByteBuffer(bytes: bytes[1...]))
        #expect(assembler.receive(last) == .message(.text("é")))
    }

    @Test func `that break RFC 6455 fail the connection with the code for it`() {
        func code(of frames: WebSocketFrame...) -> WebSocketErrorCode? {
            var assembler = FrameJoiner(maxMessageBytes: 4)
            var code: WebSocketErrorCode?
            for frame in frames {
                if case .violation(let found, _) = assembler.receive(frame) { code = code ?? found }
            }
            return code
        }
        var masked = frame(.text, "a")
        masked.maskKey = WebSocketMaskingKey([1, 2, 3, 4])
        var reserved = frame(.text, "a")
        reserved.rsv1 = true
        #expect(code(of: masked) == .protocolError)
        #expect(code(of: reserved) == .protocolError)
        #expect(code(of: frame(.continuation, "a")) == .protocolError)
        #expect(code(of: frame(.text, "a", fin: false), frame(.text, "b")) == .protocolError)
        #expect(code(of: frame(.connectionClose, "x")) == .protocolError)
        #expect(code(of: frame(.text, "12345")) == .messageTooLarge)
        #expect(code(of: frame(.text, "123", fin: false), frame(.continuation, "45")) == .messageTooLarge)
        let invalid = WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(bytes: [0xC3, 0x28]))
        #expect(code(of: invalid) == .dataInconsistentWithMessage)
        #expect(code(of: frame(.text, "1234")) == nil)
    }

    @Test func `say how the connection ends`() {
        var assembler = FrameJoiner(maxMessageBytes: 100)
        #expect(assembler.receive(frame(.connectionClose, "")) == .close(WebSocketClose(code: 1005)))
        let close = frame(.connectionClose, "\u{3}\u{68}SHUTDOWN")
        #expect(assembler.receive(close) == .close(WebSocketClose(code: 872, reason: "SHUTDOWN")))
    }
}

@Suite("The inbox of a connection")
struct WebSocketInboxTests {
    @Test func `asks for reading to stop when it is full and to go on when half of it is taken`() async throws {
        let inbox = WebSocketInbox(messageLimit: 4, byteLimit: 1000)
        let (resumed, continuation) = AsyncStream.makeStream(of: Void.self)
        inbox.onResume { continuation.yield() }
        #expect(inbox.push(.text("1")))
        #expect(inbox.push(.text("2")))
        #expect(inbox.push(.text("3")))
        #expect(!inbox.push(.text("4")))
        #expect(try await inbox.take(limit: 1) == [.text("1")])
        #expect(try await inbox.take(limit: 1) == [.text("2")])
        var iterator = resumed.makeAsyncIterator()
        await iterator.next()
        #expect(inbox.push(.text("5")))
    }

    @Test(.timeLimit(.minutes(1)))
    func `stays paused while the rest of a read comes in, until half of it is taken`() async throws {
        let inbox = WebSocketInbox(messageLimit: 8, byteLimit: 1000)
        let (resumed, continuation) = AsyncStream.makeStream(of: Void.self)
        inbox.onResume { continuation.yield() }
        for number in 1...8 { _ = inbox.push(.text("\(number)")) }
        #expect(try await inbox.take(limit: 2).count == 2)
        #expect(!inbox.push(.text("9")))
        #expect(try await inbox.take(limit: 3).count == 3)
        var iterator = resumed.makeAsyncIterator()
        await iterator.next()
    }

    @Test func `is bounded by bytes too`() {
        let inbox = WebSocketInbox(messageLimit: 100, byteLimit: 10)
        #expect(inbox.push(.text("123456789")))
        #expect(!inbox.push(.text("1")))
    }

    @Test func `gives what it has before it ends, with the failure last`() async throws {
        let inbox = WebSocketInbox(messageLimit: 100, byteLimit: 100)
        _ = inbox.push(.text("1"))
        inbox.finish(failure: ClientError(.protocolViolation, "broken"))
        #expect(try await inbox.take(limit: 9) == [.text("1")])
        let error = await #expect(throws: ClientError.self) { try await inbox.take(limit: 9) }
        #expect(error?.code == .protocolViolation)
    }

    @Test func `wakes a waiting receiver when a message comes, at the end, and when it is cancelled`() async throws {
        let inbox = WebSocketInbox(messageLimit: 100, byteLimit: 100)
        async let first = inbox.take(limit: 1)
        _ = inbox.push(.text("1"))
        #expect(try await first == [.text("1")])

        let cancelled = Task { try await inbox.take(limit: 1) }
        cancelled.cancel()
        await #expect(throws: ClientError.self) { try await cancelled.value }

        async let last = inbox.take(limit: 1)
        inbox.finish()
        #expect(try await last == [])
    }
}
