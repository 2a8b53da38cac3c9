import ApusProtocol
import NIOCore
import NIOEmbedded
import Testing

@testable import ApusServer

/// The connection handler on an embedded channel, with a session that says back what it gets.
@Suite struct WebSocketConnectionTests {
    @Test func `a message comes back as it went`() throws {
        let peer = try EmbeddedConnection.echo()
        for size in [0, 1, 125, 126, 65_535, 65_536, 200_000] {
            let payload = [UInt8](repeating: 0x61, count: size)
            for opcode in [Opcode.text, .binary] {
                try peer.send(ClientFrame(opcode: opcode.rawValue, payload: payload))
                #expect(try peer.frames() == [ServerFrame(opcode: opcode.rawValue, payload: payload)])
            }
        }
    }

    @Test func `frames may come byte by byte`() throws {
        let peer = try EmbeddedConnection.echo()
        let frames: [ClientFrame] = [
            .text("hello"), .ping("p"), .text("frag", isFinal: false), .ping("in between"),
            .continuation("ments é", isFinal: true), .text(String(repeating: "x", count: 300)),
        ]
        for byte in frames.flatMap(\.bytes) { try peer.send(bytes: [byte]) }
        #expect(
            try peer.texts() == ["hello", "p", "in between", "fragments é", String(repeating: "x", count: 300)]
        )
    }

    @Test(arguments: [1, 2, 3, 5, 7, 11, 64, 1000])
    func `frames may be cut anywhere`(size: Int) throws {
        let peer = try EmbeddedConnection.echo()
        let texts = (0..<40).map { String(repeating: "\($0) ", count: $0 * 3 + 1) }
        let bytes = texts.flatMap { ClientFrame.text($0).bytes }
        for start in stride(from: 0, to: bytes.count, by: size) {
            try peer.send(bytes: bytes[start..<min(start + size, bytes.count)])
        }
        #expect(try peer.texts() == texts)
    }

    @Test func `a ping is answered with its payload, and a pong is not`() throws {
        let peer = try EmbeddedConnection.echo()
        try peer.send(.ping("x"), .pong("y"), .ping(), .ping(String(repeating: "z", count: 125)))
        #expect(
            try peer.frames()
                == ["x", "", String(repeating: "z", count: 125)].map {
                    ServerFrame(opcode: Opcode.pong.rawValue, payload: Array($0.utf8))
                }
        )
    }

    @Test(arguments: [
        (1000, "bye", "1000"), (1001, "", "1001"), (3000, "x", "3000"), (4999, "", "4999"),
    ])
    func `a close is answered with its code, and the socket closed`(code: Int, reason: String, answer: String) throws {
        let peer = try EmbeddedConnection.echo()
        try peer.send(.text("before"), .close(UInt16(code), reason), .text("after"))
        let frames = try peer.frames()
        #expect(frames.map(\.text).first == "before")
        #expect(frames.dropFirst().map(\.close) == [answer])
        #expect(!peer.isOpen && peer.owner.open.value == 0)
    }

    @Test func `a close without a code is answered without one`() throws {
        let peer = try EmbeddedConnection.echo()
        try peer.send(.close(nil))
        #expect(try peer.frames() == [ServerFrame(opcode: Opcode.close.rawValue, payload: [])])
        #expect(!peer.isOpen)
    }

    @Test(arguments: [
        (ClientFrame(opcode: 1, payload: [0x41], reserved: 4), "1002 PROTOCOL_ERROR"),
        (ClientFrame(opcode: 3), "1002 PROTOCOL_ERROR"), (ClientFrame(opcode: 0xB), "1002 PROTOCOL_ERROR"),
        (ClientFrame(opcode: 1, payload: [0x41], mask: nil), "1002 PROTOCOL_ERROR"),
        (ClientFrame(opcode: 9, isFinal: false), "1002 PROTOCOL_ERROR"),
        (ClientFrame(opcode: 0), "1002 PROTOCOL_ERROR"),
        (ClientFrame(opcode: 1, payload: [0x41], lengthBits: 16), "1002 PROTOCOL_ERROR"),
        (ClientFrame(opcode: 8, payload: [3]), "1002 PROTOCOL_ERROR"),
        (ClientFrame.close(1005), "1002 PROTOCOL_ERROR"), (ClientFrame.close(999), "1002 PROTOCOL_ERROR"),
        (ClientFrame(opcode: 1, payload: [0xFF]), "1007 INVALID_UTF8"),
        (ClientFrame(opcode: 8, payload: [3, 0xE8, 0xFF]), "1007 INVALID_UTF8"),
        (ClientFrame(opcode: 2, payload: [UInt8](repeating: 0, count: 1001)), "1009 MESSAGE_TOO_BIG"),
    ])
    func `who breaks the protocol is told the code, and heard no more`(frame: ClientFrame, close: String) throws {
        var settings = ServerConfiguration()
        settings.limits.maxMessage = 1000
        for size in [1, 1 << 20] {
            let peer = try EmbeddedConnection.echo(on: EmbeddedLoop(settings: settings))
            let bytes = ClientFrame.text("good").bytes + frame.bytes + ClientFrame.text("after").bytes
            for start in stride(from: 0, to: bytes.count, by: size) where peer.isOpen {
                try peer.send(bytes: bytes[start..<min(start + size, bytes.count)])
            }
            let frames = try peer.frames()
            #expect(frames.first?.text == "good")
            #expect(frames.dropFirst().map(\.close) == [close])
        }
    }

    @Test func `a message may be as large as the limit, over all its fragments`() throws {
        var settings = ServerConfiguration()
        settings.limits.maxMessage = 10
        let peer = try EmbeddedConnection.echo(on: EmbeddedLoop(settings: settings))
        try peer.send(.text("0123456789"))
        try peer.send(.text("01234", isFinal: false), .continuation("56789", isFinal: true))
        #expect(try peer.texts() == ["0123456789", "0123456789"])
        try peer.send(.text("01234", isFinal: false), .continuation("56789a", isFinal: true))
        #expect(try peer.frames().map(\.close) == ["1009 MESSAGE_TOO_BIG"])
    }

    @Test func `the server's close waits for the client's answer, and hears nothing else`() throws {
        let session = ScriptedSession()
        let peer = try EmbeddedConnection { _ in session }
        peer.connection.disconnect(.shutdown)
        #expect(try peer.frames().map(\.close) == ["1001 SHUTDOWN"])
        #expect(session.hasEnded && peer.isOpen)
        try peer.send(.text("too late"), .ping("x"))
        #expect(session.messages.isEmpty)
        #expect(try peer.frames().isEmpty)
        peer.connection.disconnect(.slowConsumer)
        #expect(try peer.frames().isEmpty)
        try peer.send(.close(1001))
        #expect(!peer.isOpen && peer.owner.open.value == 0)
    }

    @Test func `a client that does not answer the close is cut after the time-out`() throws {
        var settings = ServerConfiguration()
        settings.timeouts.close = .milliseconds(500)
        let peer = try EmbeddedConnection.echo(on: EmbeddedLoop(settings: settings))
        let now = peer.owner.context.monotonicNow()
        peer.connection.disconnect(.shutdown)
        peer.connection.tick(now: now + 400)
        #expect(peer.isOpen)
        peer.connection.tick(now: now + 10_000)
        peer.run()
        #expect(!peer.isOpen && peer.owner.open.value == 0)
    }

    @Test func `it pings, and lets go who does not answer`() throws {
        var settings = ServerConfiguration()
        settings.timeouts.pingInterval = .milliseconds(1000)
        settings.timeouts.pong = .milliseconds(300)
        settings.timeouts.heartbeat = .zero
        let peer = try EmbeddedConnection.echo(on: EmbeddedLoop(settings: settings))
        let start = peer.owner.context.monotonicNow()
        peer.connection.tick(now: start + 1500)
        #expect(try peer.frames() == [ServerFrame(opcode: Opcode.ping.rawValue, payload: [])])
        try peer.send(.pong())
        peer.connection.tick(now: start + 2600)
        #expect(try peer.frames() == [ServerFrame(opcode: Opcode.ping.rawValue, payload: [])])
        peer.connection.tick(now: start + 3000)
        #expect(try peer.frames().map(\.close) == ["1008 NO_PONG"])
    }

    @Test func `the end of the socket ends the session`() throws {
        let session = ScriptedSession()
        let peer = try EmbeddedConnection { _ in session }
        #expect(peer.owner.open.value == 1)
        peer.hangUp()
        peer.run()
        #expect(session.hasEnded && peer.owner.open.value == 0)
    }
}

/// What a connection does when its session or its socket can not keep up.
@Suite struct BackPressureTests {
    @Test func `a message that was put off comes again, and what came behind it after it`() throws {
        let session = ScriptedSession()
        let peer = try EmbeddedConnection { _ in session }
        session.postpones = ["2"]
        try peer.send(.text("1"), .text("2"), .text("3"), .ping("p"), .text("4"))
        #expect(session.messages == ["1"] && !peer.isReading)
        // What the socket had brought already is kept, cut as it comes.
        for byte in ClientFrame.text("5").bytes { try peer.send(bytes: [byte]) }
        #expect(session.messages == ["1"])
        #expect(try peer.frames().isEmpty)
        peer.connection.continueReading()
        #expect(session.messages == ["1"] && !peer.isReading)
        session.postpones = ["4"]
        peer.connection.continueReading()
        #expect(session.messages == ["1", "2", "3"])
        #expect(try peer.texts() == ["p"])
        session.postpones = []
        peer.connection.continueReading()
        #expect(session.messages == ["1", "2", "3", "4", "5"])
        #expect(peer.isReading)
        try peer.send(.text("6"))
        #expect(session.messages.last == "6")
    }

    @Test func `a fragmented message can be put off`() throws {
        let session = ScriptedSession()
        let peer = try EmbeddedConnection { _ in session }
        session.postpones = ["ab"]
        try peer.send(.text("a", isFinal: false), .continuation("b", isFinal: true), .text("c"))
        #expect(session.messages.isEmpty)
        session.postpones = []
        peer.connection.continueReading()
        #expect(session.messages == ["ab", "c"] && session.isText == [true, true])
    }

    @Test func `a close behind a message that was put off waits its turn`() throws {
        let session = ScriptedSession()
        let peer = try EmbeddedConnection { _ in session }
        session.postpones = ["1"]
        try peer.send(.text("1"), .text("2"), .close())
        #expect(try peer.frames().isEmpty)
        session.postpones = []
        peer.connection.continueReading()
        peer.run()
        #expect(session.messages == ["1", "2"] && !peer.isOpen)
        #expect(try peer.frames().map(\.close) == ["1000"])
    }

    @Test func `while a message is put off no pong is missed`() throws {
        var settings = ServerConfiguration()
        settings.timeouts.pingInterval = .milliseconds(1000)
        settings.timeouts.pong = .milliseconds(300)
        let session = ScriptedSession()
        let peer = try EmbeddedConnection(on: EmbeddedLoop(settings: settings)) { _ in session }
        session.postpones = ["1"]
        try peer.send(.text("1"))
        let now = peer.owner.context.monotonicNow()
        for later in [1500, 2000, 100_000] { peer.connection.tick(now: now + Int64(later)) }
        #expect(try peer.frames().isEmpty && peer.isOpen)
    }

    @Test func `an end while a message is put off is an end`() throws {
        let session = ScriptedSession()
        let peer = try EmbeddedConnection { _ in session }
        session.postpones = ["1"]
        try peer.send(.text("1"), .text("2"))
        peer.hangUp()
        peer.run()
        session.postpones = []
        peer.connection.continueReading()
        #expect(session.messages.isEmpty && session.hasEnded)
    }

    @Test func `who does not read its replies is not read beyond 64 KiB of them`() throws {
        let peer = try EmbeddedConnection.echo()
        let text = String(repeating: "x", count: 10_000)
        #expect(peer.isReading)
        peer.setWritable(false)
        var sent = 0
        while peer.isReading, sent < 100 {
            try peer.send(.text(text))
            sent += 1
        }
        #expect(sent == WebSocketConnection.maxPendingReplies / 10_004 + 1)
        peer.setWritable(true)
        #expect(peer.isReading)
        #expect(try peer.texts() == Array(repeating: text, count: sent))
    }

    @Test func `a session is told when its socket takes more again`() throws {
        let session = ScriptedSession()
        let peer = try EmbeddedConnection { _ in session }
        peer.setWritable(false)
        #expect(session.timesWritable == 0 && !peer.connection.isWritable)
        peer.setWritable(true)
        #expect(session.timesWritable == 1 && peer.connection.isWritable)
    }

    @Test func `a closed connection is not writable and takes nothing`() throws {
        let peer = try EmbeddedConnection.echo()
        peer.connection.disconnect(.shutdown)
        _ = try peer.frames()
        #expect(!peer.connection.isWritable)
        peer.connection.write(ByteBuffer(string: "x"))
        peer.connection.flush()
        #expect(try peer.frames().isEmpty)
    }
}
