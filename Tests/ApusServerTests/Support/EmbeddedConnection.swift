import ApusAccess
import ApusBroker
import ApusProtocol
import ApusSockets
import ApusTLS
import Logging
import NIOCore
import NIOEmbedded

@testable import ApusServer

/// A loop without a thread: one loop whose connections are on pairs of sockets.
final class EmbeddedLoop {
    let eventLoop = EmbeddedEventLoop()
    let broker: MemoryBroker
    let open = ConnectionCount()
    let openStreams = ConnectionCount()
    let ids = ConnectionIDs()
    let poller: Poller
    let context: LoopContext

    /// - Parameter access: who may do what; by default just the holders of the settings' `apiKeys`, if there are any.
    init(settings: ServerConfiguration = ServerConfiguration(), access: AccessControl? = nil) throws {
        let access = try access ?? .keys(settings.access.apiKeys)
        broker = MemoryBroker(limits: MemoryBroker.Limits(topicRate: settings.rates.topicLimit))
        poller = try Poller()
        let eventLoop = eventLoop
        let slot = NIOLoopBoundBox<LoopContext?>(nil, eventLoop: eventLoop)
        let mailbox = HubMailbox {
            eventLoop.execute { slot.value?.hub.turn() }
        }
        let watch = LoopWatch(loops: 1, timeout: 0, tickInterval: settings.timeouts.tickInterval, now: 0)
        context = LoopContext(
            eventLoop: eventLoop,
            loopName: "embedded",
            settings: settings,
            access: access,
            budgets: PublishBudgets(RateLimits(settings.rates)),
            broker: broker,
            mailbox: mailbox,
            sockets: SocketBudget(limit: 1000),
            open: open,
            openStreams: openStreams,
            beat: watch.beats[0],
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        slot.value = context
    }
}

/// A WebSocket connection, its session, and the peer that the test plays.
///
/// What the peer sends is given to the connection; what the connection sends goes through a pair of sockets.
final class EmbeddedConnection {
    let connection: WebSocketConnection
    let owner: EmbeddedLoop
    private let socket: Socket
    private var isHungUp = false
    private var isStalled = false
    /// What was sent, of which whole frames have been taken already.
    private var received: [UInt8] = []

    init(
        on owner: EmbeddedLoop? = nil,
        window: DeflateWindow? = nil,
        makeSession: @escaping (WebSocketConnection) -> any WebSocketSession
    ) throws {
        let owner = try owner ?? EmbeddedLoop()
        self.owner = owner
        let (server, client) = try Socket.pair()
        socket = client
        connection = WebSocketConnection(
            id: owner.ids.next(),
            context: owner.context,
            transport: Transport(server),
            caller: .unknown,
            poller: owner.poller,
            window: window
        )
        connection.session = makeSession(connection)
        connection.start(nil)
        connection.closeIfMemoryIsFull()
    }

    deinit {
        hangUp()
    }

    static func echo(on owner: EmbeddedLoop? = nil) throws -> EmbeddedConnection {
        try EmbeddedConnection(on: owner) { EchoSession(connection: $0) }
    }

    static func pubSub(
        on owner: EmbeddedLoop? = nil,
        dialect: Dialect = .base,
        identity: Handshake.Identity? = nil
    ) throws -> EmbeddedConnection {
        try EmbeddedConnection(on: owner) {
            let first = identity ?? .known($0.context.access.admitAtOnce(Credentials()) ?? .anonymous)
            return PubSubSession(connection: $0, dialect: dialect, identity: first)
        }
    }

    // MARK: What the peer does

    func send(_ frames: ClientFrame...) throws {
        try send(bytes: frames.flatMap(\.bytes))
    }

    func send(bytes: some Sequence<UInt8>) throws {
        receive(bytes)
        run()
    }

    /// What the peer sends is read, and the loop does nothing else yet.
    func receive(_ bytes: some Sequence<UInt8>) {
        var bytes = Array(bytes)
        bytes.withUnsafeMutableBytes { connection.received($0) }
    }

    /// The peer is gone.
    func hangUp() {
        guard !isHungUp else { return }
        isHungUp = true
        socket.close()
        run()
    }

    /// Lets the loop do what is to be done.
    func run() {
        owner.eventLoop.run()
        owner.poller.poll(timeout: 0)
        owner.eventLoop.run()
    }

    /// Takes the frames that came since the last time.
    func frames() throws -> [ServerFrame] {
        if !isStalled { read() }
        defer { received = [] }
        guard let frames = ServerFrame.decode(received) else { throw NotFrames(bytes: received) }
        return frames.filter { $0 != Self.filler }
    }

    private func read() {
        withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 1) { space in
            while case .bytes(let count) = socket.receive(into: space), count > 0 {
                received += space[..<count]
                run()
            }
        }
    }

    func texts() throws -> [String] { try frames().map(\.text) }

    /// What is not a sequence of whole frames.
    struct NotFrames: Error {
        let bytes: [UInt8]
    }

    /// The socket takes nothing more, or everything again.
    func setWritable(_ isWritable: Bool) {
        isStalled = !isWritable
        read()
        if !isWritable {
            // What a full socket has taken a part of keeps everything behind it waiting.
            connection.writeControl(Self.filler.encoded)
            connection.flush()
        }
        run()
    }

    /// A pong that nobody asked for, larger than any socket's buffer.
    private static let filler = ServerFrame(opcode: 0xA, payload: [UInt8](repeating: 0, count: 4 << 20))

    /// Whether what the peer sends is taken from the socket.
    var isReading: Bool { connection.isReading }

    /// Whether the server has not closed the socket.
    var isOpen: Bool { connection.phase != .closed }
}

extension ServerFrame {
    /// As a server sends it, with the longest of lengths.
    fileprivate var encoded: ByteBuffer {
        var bytes = ByteBuffer(bytes: [0x80 | opcode, 127])
        bytes.writeInteger(UInt64(payload.count))
        bytes.writeBytes(payload)
        return bytes
    }
}

/// A session that writes down what it gets, and puts off what it is told to.
final class ScriptedSession: WebSocketSession {
    private(set) var messages: [String] = []
    private(set) var isText: [Bool] = []
    private(set) var hasEnded = false
    private(set) var timesWritable = 0
    private(set) var disconnects: [Disconnect] = []
    /// Messages that it wants again.
    var postpones: Set<String> = []

    func received(_ message: UnsafeRawBufferPointer, isText: Bool, mayStage: Bool) -> UnsafeRawBufferPointer? {
        let text = String(decoding: message, as: UTF8.self)
        guard !postpones.contains(text) else { return message }
        messages.append(text)
        self.isText.append(isText)
        return nil
    }

    func commit() -> UnsafeRawBufferPointer? { nil }
    func becameWritable() { timesWritable += 1 }
    var isDrained: Bool { true }
    func checkAccess() {}
    func ratesChanged() {}
    func willDisconnect(_ reason: Disconnect) { disconnects.append(reason) }
    func ended() { hasEnded = true }
    func tick(now: Int64) {}
}
