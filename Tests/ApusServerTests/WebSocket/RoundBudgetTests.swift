import ApusProtocol
import NIOCore
import Testing

@testable import ApusServer

/// Costly messages of one connection do not keep its loop from looking at the others.
@Suite struct RoundBudgetTests {
    private func connection(on owner: EmbeddedLoop, _ session: ScriptedSession) throws -> EmbeddedConnection {
        try EmbeddedConnection(on: owner, window: .usual) { _ in session }
    }

    /// Messages of a MiB each, which begin with their number.
    private func messages(_ numbers: ClosedRange<Int>) -> [UInt8] {
        let compressor = MessageCompressor(MessageCompressor.Settings(minimumSize: 0, level: 1))
        return numbers.flatMap { number in
            var frame = ByteBuffer()
            var text = "\(number)" + String(repeating: " ", count: (1 << 20) - 10)
            text.withUTF8 { _ = compressor.append(UnsafeRawBufferPointer($0), for: .usual, to: &frame) }
            // Without the head, of which a client has another one.
            frame.moveReaderIndex(forwardBy: 4)
            return ClientFrame(opcode: Opcode.text.rawValue, payload: Array(frame.readableBytesView), reserved: 4).bytes
        }
    }

    private func numbers(_ session: ScriptedSession) -> [String] {
        session.messages.map { String($0.prefix { $0 != " " }) }
    }

    @Test func `so much is decompressed before the loop looks at its sockets, and all of it in the end`() throws {
        let owner = try EmbeddedLoop()
        let session = ScriptedSession()
        let peer = try connection(on: owner, session)
        peer.receive(messages(1...9))
        #expect(numbers(session) == ["1"] && !peer.isReading)
        peer.run()
        #expect(numbers(session) == (1...9).map(String.init) && peer.isReading)
    }

    @Test func `connections that wait go on in turn, and what comes meanwhile stays behind`() throws {
        let owner = try EmbeddedLoop()
        let sessions = [ScriptedSession(), ScriptedSession()]
        let peers = try sessions.map { try connection(on: owner, $0) }
        peers[0].receive(messages(1...7))
        peers[1].receive(messages(1...7))
        peers[0].receive(ClientFrame.text("last").bytes)
        #expect(sessions.map { numbers($0).count } == [1, 0])
        peers[0].run()
        #expect(numbers(sessions[0]) == (1...7).map(String.init) + ["last"])
        #expect(numbers(sessions[1]) == (1...7).map(String.init))
    }

    @Test func `a connection that ends meanwhile gets nothing more`() throws {
        let owner = try EmbeddedLoop()
        let session = ScriptedSession()
        let peer = try connection(on: owner, session)
        peer.receive(messages(1...9))
        peer.connection.disconnect(.shutdown)
        peer.run()
        #expect(numbers(session).count == 1)
    }

    @Test func `a message that the session postpones is still the next`() throws {
        let owner = try EmbeddedLoop()
        let session = ScriptedSession()
        let peer = try connection(on: owner, session)
        let third = "3" + String(repeating: " ", count: (1 << 20) - 10)
        session.postpones = [third]
        peer.receive(messages(1...5))
        peer.run()
        #expect(numbers(session) == ["1", "2"] && !peer.isReading)
        session.postpones = []
        peer.connection.continueReading()
        peer.run()
        #expect(numbers(session) == (1...5).map(String.init) && peer.isReading)
    }

    @Test(arguments: [("t", 1), ("*.n", 4)])
    func `so many commands are executed before the loop looks at its sockets, and all of them in order`(
        filter: String,
        cost: Int
    ) throws {
        let owner = try EmbeddedLoop.withTopic()
        let (peer, other) = (try EmbeddedConnection.pubSub(on: owner), try EmbeddedConnection.pubSub(on: owner))
        let commands = (1...200).map { ClientFrame.subscribe(filter, as: "\($0)", #","request_id":\#($0)"#) }
        peer.receive(commands.flatMap(\.bytes))
        #expect(
            owner.context.counters.count(of: .subscribe) == UInt64(RoundBudget.limit / (RoundBudget.commandCost * cost))
        )
        #expect(!peer.isReading)
        // Who only publishes does not wait.
        other.receive(ClientFrame.publish(1).bytes)
        #expect(owner.context.counters.count(of: .publish) == 1)
        peer.run()
        let answers = try peer.lines().filter { $0.contains("request_id") }
        #expect(try answers.map(requestID) == Array(1...200) && peer.isReading)
    }

    @Test func `commands that wait are answered before a shutdown closes their connection`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let peer = try EmbeddedConnection.pubSub(on: owner)
        peer.receive((1...200).flatMap { ClientFrame.subscribe("t", as: "\($0)", #","request_id":\#($0)"#).bytes })
        owner.context.refuseCommands()
        owner.context.drain()
        peer.run()
        let lines = try peer.lines()
        #expect(try lines.filter { $0.contains("request_id") }.map(requestID) == Array(1...200))
        #expect(lines.last == "1001 SHUTDOWN")
        #expect(lines.filter { $0.contains("UNAVAILABLE") }.count == 200 - RoundBudget.limit / RoundBudget.commandCost)
    }

    private func requestID(_ line: String) throws -> Int {
        try #require(line.firstMatch(of: /"request_id":(\d+)/).flatMap { Int($0.1) })
    }
}
