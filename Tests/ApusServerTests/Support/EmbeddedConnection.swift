import ApusBroker
import ApusProtocol
import Logging
import NIOCore
import NIOEmbedded

@testable import ApusServer

/// A loop without a thread: one worker whose connections are on embedded channels.
final class EmbeddedWorker {
    let eventLoop = EmbeddedEventLoop()
    let broker = MemoryBroker()
    let open = ConnectionCount()
    let openStreams = ConnectionCount()
    let ids = ConnectionIDs()
    let worker: Worker

    init(settings: WorkerSettings = WorkerSettings()) {
        let eventLoop = eventLoop
        let slot = NIOLoopBoundBox<Worker?>(nil, eventLoop: eventLoop)
        let mailbox = HubMailbox {
            eventLoop.execute { slot.value?.hub.turn() }
        }
        let watch = LoopWatch(loops: 1, timeout: 0, tickInterval: settings.tickInterval, now: 0)
        worker = Worker(
            eventLoop: eventLoop,
            settings: settings,
            broker: broker,
            mailbox: mailbox,
            open: open,
            openStreams: openStreams,
            beat: watch.beats[0],
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        slot.value = worker
    }
}

/// A WebSocket connection, its session, and the peer that the test plays.
final class EmbeddedConnection {
    let channel: EmbeddedChannel
    let connection: WebSocketConnection
    let owner: EmbeddedWorker
    private let socket = EmbeddedSocket()
    /// What was sent, of which whole frames have been taken already.
    private var received: [UInt8] = []

    init(
        on owner: EmbeddedWorker = EmbeddedWorker(),
        makeSession: @escaping (WebSocketConnection) -> any WebSocketSession
    ) throws {
        self.owner = owner
        connection = WebSocketConnection(
            id: owner.ids.next(),
            worker: owner.worker,
            sendsDirectly: false,
            makeSession: makeSession
        )
        channel = EmbeddedChannel(loop: owner.eventLoop)
        try channel.pipeline.syncOperations.addHandlers([socket, connection])
        channel.connect(to: try SocketAddress(unixDomainSocketPath: "test"), promise: nil)
    }

    static func echo(on owner: EmbeddedWorker = EmbeddedWorker()) throws -> EmbeddedConnection {
        try EmbeddedConnection(on: owner) { EchoSession(connection: $0) }
    }

    static func pubSub(
        on owner: EmbeddedWorker = EmbeddedWorker(),
        dialect: Dialect = .base,
        isAuthorized: Bool = true
    ) throws -> EmbeddedConnection {
        try EmbeddedConnection(on: owner) {
            PubSubSession(connection: $0, dialect: dialect, isAuthorized: isAuthorized)
        }
    }

    // MARK: What the peer does

    func send(_ frames: ClientFrame...) throws {
        try send(bytes: frames.flatMap(\.bytes))
    }

    func send(bytes: some Sequence<UInt8>) throws {
        try channel.writeInbound(ByteBuffer(bytes: bytes))
        run()
    }

    /// Lets the loop do what is to be done.
    func run() {
        owner.eventLoop.run()
    }

    /// Takes the frames that came since the last time.
    func frames() throws -> [ServerFrame] {
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) {
            received += Array(buffer.readableBytesView)
        }
        defer { received = [] }
        guard let frames = ServerFrame.decode(received) else { throw NotFrames(bytes: received) }
        return frames
    }

    func texts() throws -> [String] { try frames().map(\.text) }

    /// What is not a sequence of whole frames.
    struct NotFrames: Error {
        let bytes: [UInt8]
    }

    /// The socket takes nothing more, or everything again.
    func setWritable(_ isWritable: Bool) {
        if isWritable {
            socket.open()
        } else {
            // What a full socket has taken a part of keeps everything behind it waiting.
            socket.close(over: ByteBuffer(bytes: Self.filler))
            connection.writeControl(ByteBuffer(bytes: Self.filler))
            connection.flush()
        }
        run()
    }

    /// A pong that nobody asked for.
    private static let filler: [UInt8] = [0x8A, 0x06] + Array("filler".utf8)

    /// Whether the handler lets a read through that the channel asks for.
    func isReading() -> Bool {
        let before = socket.reads
        channel.pipeline.read()
        return socket.reads > before
    }

    /// How many reads the handler has let through.
    var readCount: Int { socket.reads }
}

/// Counts the reads that are let through, and holds writes up while it is closed.
private final class EmbeddedSocket: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private(set) var reads = 0
    private var isClosed = false
    /// What only fills the socket, and is not passed on.
    private var filler: ByteBuffer?
    private var held: [(bytes: ByteBuffer, promise: EventLoopPromise<Void>?)] = []
    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        for (_, promise) in held { promise?.fail(ChannelError.ioOnClosedChannel) }
        held = []
    }

    func read(context: ChannelHandlerContext) {
        reads += 1
        context.read()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard isClosed else { return context.write(data, promise: promise) }
        held.append((unwrapOutboundIn(data), promise))
    }

    func flush(context: ChannelHandlerContext) {
        if !isClosed { context.flush() }
    }

    func close(over filler: ByteBuffer) {
        isClosed = true
        self.filler = filler
    }

    func open() {
        isClosed = false
        let filler = filler.take()
        let released = held
        held = []
        for (bytes, promise) in released {
            if bytes == filler {
                promise?.succeed()
            } else {
                context?.write(wrapOutboundOut(bytes), promise: promise)
            }
        }
        context?.flush()
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

    func received(_ message: UnsafeRawBufferPointer, isText: Bool) -> Bool {
        let text = String(decoding: message, as: UTF8.self)
        guard !postpones.contains(text) else { return false }
        messages.append(text)
        self.isText.append(isText)
        return true
    }

    func becameWritable() { timesWritable += 1 }
    var isDrained: Bool { true }
    func willDisconnect(_ reason: Disconnect) { disconnects.append(reason) }
    func ended() { hasEnded = true }
    func tick(now: Int64) {}
}
