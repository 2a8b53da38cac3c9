import ApusBroker
import ApusProtocol
import ApusSockets
import Logging
import NIOCore

/// One event loop's share of the server: its hub, its WebSocket connections, and the buffers that they share.
///
/// Used only on its event loop; there are no locks.
final class LoopContext {
    /// The largest reply buffer, in bytes, that is kept for reuse, and how many buffers are kept.
    private static let (recycledReplies, maxSpareReplies) = (16 * 1024, 64)
    private static let inputSize = 64 * 1024
    /// The longest time that a slow but active client gets to take its pending data, as a multiple of `close_timeout`.
    static let closeExtensions: Int64 = 10

    let eventLoop: any EventLoop
    /// The loop's name in metrics, such as `socket-0` or `http-1`.
    let loopName: String
    @exclusivity(unchecked) private(set) var settings: ServerConfiguration
    let access: AccessControl
    /// The limits in force. ``limitRates(_:)`` changes them.
    var rates: RateLimits
    let budgets: PublishBudgets
    let hub: Hub
    let broker: any Broker
    /// The buffer that sockets are read into. Its bytes are processed or copied before the next read.
    let input: UnsafeMutableRawBufferPointer
    let tls = LoopTLS()
    let scanner: CommandScanner
    let logger: Logger
    /// `nil` if no spans are made.
    var spans: LoopSpans? { didSet { hub.spanWatch = spans } }
    /// The replies to the commands being read from one connection. The connection's outbox takes them in one piece.
    @exclusivity(unchecked) var replies = ByteBuffer()
    /// The publishes of that connection that wait for the others of the same read.
    @exclusivity(unchecked) var staged = StagedPublishes()
    /// The time at which the current burst of commands arrived.
    @exclusivity(unchecked) private(set) var now = Timestamp(milliseconds: 0)
    /// Whether the server is shutting down: commands are refused, and a connection closes when everything is delivered.
    ///
    /// A copy of the server's flag, because each command asks. It changes only in ``refuseCommands()``, on the
    /// loop, so that no command is accepted after the turn there.
    @exclusivity(unchecked) private(set) var isDraining = false
    /// Whether new work is refused because memory is at its limit: a copy of ``MemoryStatus/isFull``.
    private(set) var isFull = false
    /// Whether nothing stands in the way of publishing.
    @exclusivity(unchecked) private(set) var takesPublishes = true
    /// Whether all loops refuse commands, so that a connection may close as soon as everything is delivered to it.
    private(set) var mayClose = false
    private var isDrained = false
    private var waitingForDrain: [() -> Void] = []

    @exclusivity(unchecked) var counters = LoopCounters()
    /// Decompresses client messages. Created with the first compressed message.
    lazy var inflater = Inflater()
    @exclusivity(unchecked) var roundBudget = RoundBudget()
    @exclusivity(unchecked) var lastPresence = PresenceFrame()

    @exclusivity(unchecked) private var spareReplies: [ByteBuffer] = []
    @exclusivity(unchecked) private var answered = ContiguousArray<WebSocketConnection>()
    @exclusivity(unchecked) private var flushing = ContiguousArray<WebSocketConnection>()
    private(set) var connections = ContiguousArray<WebSocketConnection>()
    private(set) var pending = ContiguousArray<PendingConnection>()
    /// How many of these are refused, but not closed yet.
    var refusedCount = 0
    private let sockets: SocketBudget
    let open: ConnectionCount
    let openStreams: ConnectionCount
    private let beat: LoopWatch.Beat
    private(set) var streams: [any StreamingSubscriber] = []
    /// How often deadlines are checked, in milliseconds.
    private let tickInterval: Int64
    /// When the next tick is due, on the loop's clock.
    private var tickDue: Int64?
    /// Whether the last tick passed over the deadlines because the loop itself was late.
    private var wasHeldUp = false

    init(
        eventLoop: any EventLoop,
        loopName: String,
        settings: ServerConfiguration,
        access: AccessControl,
        budgets: PublishBudgets,
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
        self.access = access
        self.rates = RateLimits(settings.rates)
        self.budgets = budgets
        self.tickInterval = settings.timeouts.tickInterval
        self.broker = broker
        self.hub = Hub(broker: broker, mailbox: mailbox, compression: settings.compression.compressor) {
            ServerClock.now
        }
        self.input = .allocate(byteCount: Self.inputSize, alignment: 16)
        self.sockets = sockets
        self.scanner = CommandScanner(maxDepth: settings.limits.maxDepth, maxClientID: settings.limits.maxClientID)
        self.open = open
        self.openStreams = openStreams
        self.beat = beat
        self.logger = logger
    }

    deinit {
        input.deallocate()
    }

    /// Takes other settings. What was derived from them in `init` stays: those settings need a restart.
    func take(_ settings: ServerConfiguration) {
        self.settings = settings
        limitRates(RateLimits(settings.rates))
    }

    // MARK: Connections

    /// Adds a connection that has not sent its request yet.
    func add(_ connection: PendingConnection) {
        connection.loopIndex = pending.count
        pending.append(connection)
    }

    /// - Parameter isClosed: `true` if the socket is closed, `false` if it is handed over.
    func remove(_ connection: PendingConnection, isClosed: Bool) {
        let index = connection.loopIndex
        guard index < pending.count, pending[index] === connection else { return }
        pending.swapRemove(at: index)?.loopIndex = index
        if isClosed { sockets.release() }
    }

    func add(_ connection: WebSocketConnection) {
        connection.loopIndex = connections.count
        connections.append(connection)
        open.add(1)
        counters.opened += 1
        if connection.window != nil { counters.openedCompressed += 1 }
        logger.debug("connection opened", metadata: ["connection.id": "\(connection.id)"])
    }

    func remove(_ connection: WebSocketConnection) {
        let index = connection.loopIndex
        guard index < connections.count, connections[index] === connection else { return }
        connections.swapRemove(at: index)?.loopIndex = index
        open.add(-1)
        sockets.release()
        logger.debug("connection closed", metadata: ["connection.id": "\(connection.id)"])
    }

    func add(_ stream: any StreamingSubscriber) {
        stream.loopIndex = streams.count
        streams.append(stream)
        openStreams.add(1)
    }

    func remove(_ stream: any StreamingSubscriber) {
        let index = stream.loopIndex
        guard index < streams.count, streams[index] === stream else { return }
        streams.swapRemove(at: index)?.loopIndex = index
        openStreams.add(-1)
    }

    /// Records that a socket is closed that belonged to neither a pending connection nor a WebSocket.
    func releaseSocket() {
        sockets.release()
    }

    /// The number of event streams and waiting requests.
    var streamCount: Int { streams.count }
    var connectionCount: Int { connections.count }

    // MARK: Time

    /// The time of a monotonic clock, in milliseconds.
    static func monotonicNow() -> Int64 {
        Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000)
    }

    func monotonicNow() -> Int64 { Self.monotonicNow() }

    /// Reads the clock for the input that follows. All commands of a burst get the same time.
    func beginBurst() {
        let moment = ServerClock.now
        if moment.wall != now.milliseconds || moment.steady != now.steady { now = Timestamp(moment) }
    }

    func takeReplies() -> ByteBuffer {
        let taken = replies
        replies = spareReplies.popLast() ?? ByteBuffer()
        return taken
    }

    /// Keeps the buffer of sent replies for later replies.
    func recycle(_ sent: consuming ByteBuffer) {
        guard spareReplies.count < Self.maxSpareReplies, sent.storageCapacity <= Self.recycledReplies else { return }
        sent.clear()
        spareReplies.append(sent)
    }

    /// Sends the connection's replies after all ready sockets have been read. The replies then go out one after the
    /// other: each receiver wakes once, and before the fan-out.
    func flushAfterRound(_ connection: WebSocketConnection) {
        answered.append(connection)
    }

    func endRound() {
        tls.beginRound()
        roundBudget.beginRound()
        flushReplies()
    }

    func flushReplies() {
        guard !answered.isEmpty else { return }
        swap(&answered, &flushing)
        for connection in flushing { connection.flushReplies() }
        flushing.removeAll(keepingCapacity: true)
    }

    /// Checks every deadline. Called every ``tickInterval``.
    func tick() {
        let now = monotonicNow()
        let late = max(tickDue.map { now - $0 } ?? 0, 0)
        hub.noteLate(by: late)
        let missed = max(late - tickInterval, 0)
        tickDue = now + tickInterval
        // Input that arrived while the loop was held up has not been read yet, and nothing was written. So deadlines
        // are passed over once. A loop that is always late must still check them.
        let isHeldUp = missed > 0 && !wasHeldUp
        wasHeldUp = isHeldUp
        beginBurst()
        if missed > 0 { for connection in connections { connection.excuse(missed) } }
        if !isHeldUp {
            // Connections that end change the list, so iterate over a copy.
            for connection in connections { connection.tick(now: now) }
            for connection in pending { connection.tick(now: now) }
            for stream in streams { stream.tick(now: now) }
        }
        checkStreams()
        beat.beat(now: now)
        hub.endBursts()
        let (live, throttle) = (settings.timeouts.live, settings.timeouts.throttle)
        if live > .zero, !isHeldUp { hub.passOverStuckLoops(timeout: live.wholeMilliseconds) }
        if throttle > .zero, !isHeldUp { hub.cutStalled(now: now, timeout: throttle.wholeMilliseconds) }
    }

    /// Frees memory that was reserved for peak load. Called when the server is quiet.
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

    /// Refuses commands from now on. When this returns, the topics' logs contain everything acknowledged before.
    func refuseCommands() {
        isDraining = true
        takesPublishes = false
        hub.limits = .none
        hub.turn()
    }

    func setFull(_ isFull: Bool) {
        self.isFull = isFull
        takesPublishes = !isFull && !isDraining
    }

    /// Closes every connection that has received everything. The other connections close as soon as they have.
    func drain() {
        mayClose = true
        hub.turn()
        closePending()
        for connection in connections { connection.closeIfDrained() }
        for stream in streams { stream.drain() }
    }

    /// Runs `body` when the drain is over, or at once if it is over already.
    func afterDrain(_ body: @escaping () -> Void) {
        if isDrained { body() } else { waitingForDrain.append(body) }
    }

    /// Ends the drain, whether or not everything was delivered.
    func finishDrain() {
        isDrained = true
        let waiting = waitingForDrain
        waitingForDrain = []
        for body in waiting { body() }
    }
}
