import ApusProtocol
import ApusSockets
import ApusTLS
import NIOEmbedded

@testable import ApusServer

extension FuzzTarget {
    /// A byte of options, a byte that says where the input is cut, then what a client sends after its handshake.
    static let frames = FuzzTarget(name: "Frames") {
        var settings = ServerConfiguration()
        settings.limits.maxMessage = FramesCheck.maxMessage
        let check = FramesCheck(loop: try FuzzLoop(settings: settings))
        return { bytes in
            var input = FuzzInput(bytes)
            let (options, cut) = (input.byte(), Int(input.byte()))
            try check.run(Array(input.rest), compresses: options & 1 != 0, cut: cut)
        }
    }
}

private struct FramesCheck {
    /// So small that messages come to be too large.
    static let maxMessage = 2048

    let loop: FuzzLoop
    private let inflater = Inflater()

    init(loop: FuzzLoop) {
        self.loop = loop
    }

    func run(_ bytes: [UInt8], compresses: Bool, cut: Int) throws {
        let window: DeflateWindow? = compresses ? .usual : nil
        let whole = try outcome(of: [bytes[...]], window)
        let middle = bytes.count * cut / 255
        let inTwo = try outcome(of: [bytes[..<middle], bytes[middle...]], window)
        try require(inTwo == whole, "a cut changes nothing")
        let size = cut % 16 + 1
        let pieces = stride(from: 0, to: bytes.count, by: size).map { bytes[$0..<min($0 + size, bytes.count)] }
        try require(try outcome(of: pieces, window) == whole, "many cuts change nothing")
        let late = try outcome(of: [bytes[..<middle], bytes[middle...]], window, postpones: true)
        try require(late == whole, "a message that is put off comes later, and nothing before it")
        var plain = PlainFrames(rest: bytes[...], maxMessage: Self.maxMessage, inflater: compresses ? inflater : nil)
        plain.read()
        try require(whole.messages == plain.messages, "messages are what the frames say")
        try require(!plain.isOver || !whole.isOpen, "broken frames, and a close, end the connection")
        try require(whole.messages.allSatisfy { $0.bytes.count <= Self.maxMessage }, "messages keep their limit")
    }

    private struct Outcome: Equatable {
        var messages: [Message]
        var sent: [UInt8]
        var isOpen: Bool
    }

    private func outcome(
        of pieces: [ArraySlice<UInt8>],
        _ window: DeflateWindow?,
        postpones: Bool = false
    ) throws -> Outcome {
        let (server, client) = try Socket.pair()
        defer { client.close() }
        let connection = WebSocketConnection(
            id: 1,
            context: loop.context,
            transport: Transport(server),
            caller: .unknown,
            poller: loop.poller,
            window: window
        )
        // What earlier inputs have spent, or this one in its first piece, must not hold up the next.
        loop.context.roundBudget.beginRound()
        let session = NotingSession(postpones: postpones)
        connection.session = session
        connection.start(nil)
        for piece in pieces {
            var bytes = Array(piece)
            bytes.withUnsafeMutableBytes { connection.received($0) }
            while connection.postponed != nil, connection.phase == .open { connection.continueReading() }
            loop.eventLoop.run()
        }
        let isOpen = connection.phase == .open
        try require(connection.inputBytes <= 2 * Self.maxMessage + 14, "what waits keeps its limit")
        let sent = Self.read(client)
        connection.end()
        return Outcome(messages: session.messages, sent: sent, isOpen: isOpen)
    }

    private static func read(_ socket: Socket) -> [UInt8] {
        var bytes: [UInt8] = []
        withUnsafeTemporaryAllocation(byteCount: 1 << 14, alignment: 1) { space in
            while case .bytes(let count) = socket.receive(into: space), count > 0 { bytes += space[..<count] }
        }
        return bytes
    }
}

/// A message as the session gets it.
struct Message: Equatable {
    var bytes: [UInt8]
    var isText: Bool
}

/// A session that notes what it gets, and puts off every other message once.
private final class NotingSession: WebSocketSession {
    private(set) var messages: [Message] = []
    private let postpones: Bool
    private var hasPostponed = false

    init(postpones: Bool) {
        self.postpones = postpones
    }

    func received(_ message: UnsafeRawBufferPointer, isText: Bool, mayStage: Bool) -> UnsafeRawBufferPointer? {
        if postpones, messages.count % 2 == 0, !hasPostponed {
            hasPostponed = true
            return message
        }
        hasPostponed = false
        messages.append(Message(bytes: Array(message), isText: isText))
        return nil
    }

    func commit() -> UnsafeRawBufferPointer? { nil }
    func becameWritable() {}
    var isDrained: Bool { true }
    func willDisconnect(_ reason: Disconnect) {}
    func ended() {}
    func checkAccess() {}
    func ratesChanged() {}
    func tick(now: Int64) {}
}
