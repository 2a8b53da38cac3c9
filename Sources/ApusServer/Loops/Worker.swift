import ApusBroker
import ApusProtocol
import ApusSockets
import Logging
import NIOCore

/// One event loop's share of the server: its hub, its WebSocket connections, and the memory they use in turn.
///
/// Lives on its event loop; nothing here is locked.
final class Worker {
    /// The largest buffer of replies that is kept for the next ones, and how many are.
    private static let (recycledReplies, maxSpareReplies) = (16 * 1024, 64)
    private static let inputSize = 64 * 1024
    /// How many times `close_timeout` a client gets at the most that takes slowly what was sent before the end.
    static let closeExtensions: Int64 = 10

    let eventLoop: any EventLoop
    /// `socket-0`, `http-1`: for metrics.
    let loopName: String
    let settings: WorkerSettings
    let hub: Hub
    let broker: any Broker
    /// What a socket is read into: worked off, or copied, before the next one is read.
    let input: UnsafeMutableRawBufferPointer
    let scanner: CommandScanner
    let logger: Logger
    /// The replies to what is being read from one connection, until they are handed to its channel in one piece.
    @exclusivity(unchecked) var replies = ByteBuffer()
    /// The moment the burst of commands at work came in.
    @exclusivity(unchecked) private(set) var now = Timestamp(milliseconds: 0)
    /// At shutdown: commands are refused, and connections closed as soon as they have got everything.
    @exclusivity(unchecked) private(set) var isDraining = false
    /// Whether all loops refuse commands, so that who has everything may be let go.
    private(set) var mayClose = false
    private var isDrained = false
    private var waitingForDrain: [() -> Void] = []

    @exclusivity(unchecked) var counters = WorkerCounters()
    /// Reads what clients compressed; made when the first does.
    lazy var inflater = Inflater()

    @exclusivity(unchecked) private var spareReplies: [ByteBuffer] = []
    @exclusivity(unchecked) private var answered = ContiguousArray<WebSocketConnection>()
    @exclusivity(unchecked) private var flushing = ContiguousArray<WebSocketConnection>()
    private var connections = ContiguousArray<WebSocketConnection>()
    private var pending = ContiguousArray<PendingConnection>()
    private let sockets: SocketBudget
    private let open: ConnectionCount
    private let openStreams: ConnectionCount
    private let beat: LoopWatch.Beat
    private var streams: [any StreamingSubscriber] = []
    /// When the next tick is due, on the worker's clock.
    private var tickDue: Int64?
    /// Whether the last tick left out what it would have held against clients for the loop's own lateness.
    private var wasHeldUp = false

    init(
        eventLoop: any EventLoop,
        loopName: String,
        settings: WorkerSettings,
        broker: any Broker,
        mailbox: HubMailbox,
        sockets: SocketBudget,
        open: ConnectionCount,
        openStreams: ConnectionCount,
        beat: LoopWatch.Beat,
        logger: Logger
    ) {
        self.eventLoop = eventLoop
        self.loopName = loopName
        self.settings = settings
        self.broker = broker
        self.hub = Hub(broker: broker, mailbox: mailbox, compression: settings.compression) { ServerClock.now }
        self.input = .allocate(byteCount: Self.inputSize, alignment: 16)
        self.sockets = sockets
        self.scanner = CommandScanner(maxDepth: settings.maxDepth, maxClientID: settings.maxClientID)
        self.open = open
        self.openStreams = openStreams
        self.beat = beat
        self.logger = logger
    }

    deinit {
        input.deallocate()
    }

    // MARK: Connections

    /// A socket that has not said yet what it is for.
    func add(_ connection: PendingConnection) {
        connection.workerIndex = pending.count
        pending.append(connection)
    }

    /// - Parameter isClosed: whether its socket is, rather than handed on.
    func remove(_ connection: PendingConnection, isClosed: Bool) {
        let index = connection.workerIndex
        guard index < pending.count, pending[index] === connection else { return }
        let last = pending.removeLast()
        if last !== connection {
            pending[index] = last
            last.workerIndex = index
        }
        if isClosed { sockets.release() }
    }

    func add(_ connection: WebSocketConnection) {
        connection.workerIndex = connections.count
        connections.append(connection)
        open.add(1)
        counters.opened += 1
        if connection.window != nil { counters.openedCompressed += 1 }
        logger.debug("connection opened", metadata: ["connection.id": "\(connection.id)"])
    }

    func remove(_ connection: WebSocketConnection) {
        let index = connection.workerIndex
        guard index < connections.count, connections[index] === connection else { return }
        let last = connections.removeLast()
        if last !== connection {
            connections[index] = last
            last.workerIndex = index
        }
        open.add(-1)
        sockets.release()
        logger.debug("connection closed", metadata: ["connection.id": "\(connection.id)"])
    }

    func add(_ stream: any StreamingSubscriber) {
        stream.workerIndex = streams.count
        streams.append(stream)
        openStreams.add(1)
    }

    func remove(_ stream: any StreamingSubscriber) {
        let index = stream.workerIndex
        guard index < streams.count, streams[index] === stream else { return }
        let last = streams.removeLast()
        if last !== stream {
            streams[index] = last
            last.workerIndex = index
        }
        openStreams.add(-1)
    }

    /// A socket that was no pending connection's or WebSocket's is closed.
    func releaseSocket() {
        sockets.release()
    }

    /// How many event streams there are, and requests that wait.
    var streamCount: Int { streams.count }

    var connectionCount: Int { connections.count }

    // MARK: Time

    /// Milliseconds of a clock that never goes back.
    static func monotonicNow() -> Int64 {
        Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000)
    }

    func monotonicNow() -> Int64 { Self.monotonicNow() }

    /// Takes the time for what is read now. A burst of commands has one time.
    func beginBurst() {
        let moment = ServerClock.now
        if moment.wall != now.milliseconds || moment.steady != now.steady { now = Timestamp(moment) }
    }

    func takeReplies() -> ByteBuffer {
        let taken = replies
        replies = spareReplies.popLast() ?? ByteBuffer()
        return taken
    }

    /// Uses the memory of replies that were sent for those to come.
    func recycle(_ sent: consuming ByteBuffer) {
        guard spareReplies.count < Self.maxSpareReplies, sent.storageCapacity <= Self.recycledReplies else { return }
        sent.clear()
        spareReplies.append(sent)
    }

    /// Has the connection's replies sent when all sockets that are ready have been read: one after the other, so that
    /// whoever gets them is woken once, and before the fan-out.
    func flushLater(_ connection: WebSocketConnection) {
        answered.append(connection)
    }

    func flushReplies() {
        guard !answered.isEmpty else { return }
        swap(&answered, &flushing)
        for connection in flushing { connection.flushReplies() }
        flushing.removeAll(keepingCapacity: true)
    }

    /// Looks at every deadline; called every ``WorkerSettings/tickInterval``.
    func tick() {
        let now = monotonicNow()
        let late = max(tickDue.map { now - $0 } ?? 0, 0)
        hub.noteLate(by: late)
        // What came while the loop was held up has not been read yet.
        let missed = max(late - settings.tickInterval, 0)
        tickDue = now + settings.tickInterval
        beginBurst()
        // Connections that end change the list: walk a copy.
        for connection in connections { connection.tick(now: now, missed: missed) }
        for connection in pending { connection.tick(now: now) }
        for stream in streams { stream.tick(now: now) }
        beat.beat(now: now)
        hub.endBursts()
        if settings.liveTimeout > 0 { hub.passOverStuckLoops(timeout: settings.liveTimeout) }
        // Nor have sockets been offered anything. But a loop that is late all the time has to go on.
        let isHeldUp = missed > 0 && !wasHeldUp
        wasHeldUp = isHeldUp
        if settings.throttleTimeout > 0, !isHeldUp { hub.cutStalled(now: now, timeout: settings.throttleTimeout) }
    }

    /// Gives back memory that was reserved for more than is there now. Called when there is little else to do.
    func releaseMemory() {
        spareReplies = []
        answered.releaseRoom()
        flushing.releaseRoom()
        connections.releaseRoom()
        pending.releaseRoom()
        streams.releaseRoom()
        hub.releaseMemory()
    }

    // MARK: Shutdown

    /// When a client is to come back after a shutdown, in milliseconds: at random within a span that grows with the
    /// number of clients, so that ``WorkerSettings/reconnectRate`` of them come in a second.
    func reconnectDelay() -> Int64 {
        Workers.reconnectDelay(of: open.value + openStreams.value, rate: settings.reconnectRate)
    }

    /// Refuses commands from now on. What was acknowledged before is in the topics' logs when this returns.
    func refuseCommands() {
        isDraining = true
        hub.turn()
    }

    /// Closes every connection that has got everything; those that have not yet close when they have.
    func drain() {
        mayClose = true
        hub.turn()
        closePending()
        for connection in connections { connection.closeIfDrained() }
        for stream in streams { stream.drain() }
    }

    /// Runs `body` when the drain is over: at once, if it is.
    func afterDrain(_ body: @escaping () -> Void) {
        if isDrained { body() } else { waitingForDrain.append(body) }
    }

    /// The drain is over, successful or not.
    func finishDrain() {
        isDrained = true
        let waiting = waitingForDrain
        waitingForDrain = []
        for body in waiting { body() }
    }

    /// Cuts what has not asked for anything.
    func closePending() {
        for connection in pending { connection.close() }
    }

    /// Cuts what is still open.
    func abort() {
        for connection in connections { connection.end() }
        for stream in streams { stream.end() }
        closePending()
    }
}
