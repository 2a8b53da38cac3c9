import ApusBroker
import ApusProtocol
import ApusSockets
import CEpoll
import Logging
import NIOCore
import Synchronization

/// The contexts of all event loops, and the way to reach them from other threads.
struct LoopContexts: Sendable {
    let inForce: SettingsInForce
    let access: AccessControl
    let budgets: PublishBudgets
    /// `nil` if no spans are made.
    let spans: SpanSource?
    private let byLoop: [ObjectIdentifier: NIOLoopBoundBox<LoopContext?>]
    private let loops: [any EventLoop]
    let sockets: SocketBudget
    /// The number of open WebSocket connections over all loops.
    let open: ConnectionCount
    /// The number of event streams and waiting requests over all loops.
    let streams: ConnectionCount
    let ids = ConnectionIDs()
    /// Set once the server is about to stop.
    let isDraining = SharedFlag()
    let memory = MemoryStatus()
    private let watch: LoopWatch

    /// Creates a context on each loop. Do not call this on one of the loops.
    ///
    /// - Parameters:
    ///   - socketLoops: the loops for WebSockets.
    ///   - httpLoops: the loops for event streams and all other HTTP requests.
    ///   - isLocal: whether the server listens only on loopback addresses.
    init(
        socketLoops: [SocketLoop],
        httpLoops: [any EventLoop],
        settings: ServerConfiguration,
        isLocal: Bool = false,
        access: AccessControl,
        broker: any Broker,
        sockets: SocketBudget,
        spans: SpanSource? = nil,
        logger: Logger
    ) async throws {
        let all: [any EventLoop] = socketLoops + httpLoops
        let tickInterval = settings.timeouts.tickInterval
        let watch = LoopWatch(
            loops: all.count,
            timeout: settings.timeouts.live.wholeMilliseconds,
            tickInterval: tickInterval,
            now: LoopContext.monotonicNow()
        )
        var byLoop: [ObjectIdentifier: NIOLoopBoundBox<LoopContext?>] = [:]
        let (open, streams) = (ConnectionCount(), ConnectionCount())
        let budgets = PublishBudgets(RateLimits(settings.rates))
        let names = socketLoops.indices.map { "socket-\($0)" } + httpLoops.indices.map { "http-\($0)" }
        for ((eventLoop, name), beat) in zip(zip(all, names), watch.beats) {
            byLoop[ObjectIdentifier(eventLoop)] = try await eventLoop.submit {
                let slot = NIOLoopBoundBox<LoopContext?>(nil, eventLoop: eventLoop)
                let mailbox = HubMailbox {
                    eventLoop.execute { slot.value?.hub.turn() }
                }
                slot.value = LoopContext(
                    eventLoop: eventLoop,
                    loopName: name,
                    settings: settings,
                    access: access,
                    budgets: budgets,
                    broker: broker,
                    mailbox: mailbox,
                    sockets: sockets,
                    open: open,
                    openStreams: streams,
                    beat: beat,
                    logger: logger
                )
                slot.value?.spans = spans.map { LoopSpans($0, loop: name) }
                let interval = TimeAmount.milliseconds(tickInterval)
                eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { task in
                    guard let context = slot.value else { return task.cancel() }
                    context.tick()
                }
                return slot
            }.get()
        }
        for loop in socketLoops {
            let slot = byLoop[ObjectIdentifier(loop)]
            loop.withPoller { $0.afterRound = { slot?.value?.endRound() } }
        }
        inForce = SettingsInForce(settings, isLocal: isLocal)
        self.access = access
        self.budgets = budgets
        self.spans = spans
        self.byLoop = byLoop
        self.loops = all
        self.sockets = sockets
        self.open = open
        self.streams = streams
        self.watch = watch
    }

    /// The settings in force. On a loop, ``LoopContext/settings`` is cheaper.
    var settings: ServerConfiguration { inForce.configuration }

    /// Whether every loop has responded recently.
    var isAlive: Bool { watch.isAlive(now: LoopContext.monotonicNow()) }

    /// The context of one of the loops. Call it on that loop.
    func context(on eventLoop: any EventLoop) -> LoopContext? {
        byLoop[ObjectIdentifier(eventLoop)]?.value ?? nil
    }

    /// Runs `body` on all loops at the same time, and waits until all are done.
    func forEach(_ body: @escaping @Sendable (LoopContext) -> Void) async {
        let done = loops.map { eventLoop in
            eventLoop.submit {
                if let context = context(on: eventLoop) { body(context) }
            }
        }
        for future in done { try? await future.get() }
    }

    /// Runs `body` for every context on its loop, and returns the results.
    func collect<Value: Sendable>(_ body: @escaping @Sendable (LoopContext) -> Value) async -> [Value] {
        let done = loops.map { eventLoop in
            eventLoop.submit { context(on: eventLoop).map(body) }
        }
        var values: [Value] = []
        for future in done {
            if let value = try? await future.get() { values.append(value) }
        }
        return values
    }

    /// How long a client that is refused now should wait before it reconnects, in milliseconds.
    func reconnectDelay() -> Int64 {
        Self.reconnectDelay(of: open.value + streams.value, rate: settings.limits.reconnectRate)
    }

    /// A random time in milliseconds. If each of `clients` waits such a time, at most `rate` of them reconnect per
    /// second.
    static func reconnectDelay(of clients: Int, rate: Int) -> Int64 {
        let span = Int64(clients) * 1000 / Int64(max(rate, 1))
        return Int64.random(in: 0...max(span, 1000))
    }

    /// Makes every loop free memory that was reserved for peak load.
    func releaseMemory() async {
        await forEach {
            $0.releaseMemory()
            cepoll_look_at_end()
        }
        for case let loop as SocketLoop in loops { loop.withPoller { $0.releaseMemory() } }
    }

    /// Releases all contexts. There must be no open connections.
    ///
    /// - Parameter housekeeping: works on the loops, so it is ended before.
    func stop(after housekeeping: Task<Void, Never>? = nil) async {
        housekeeping?.cancel()
        await housekeeping?.value
        for eventLoop in loops {
            let slot = byLoop[ObjectIdentifier(eventLoop)]
            try? await eventLoop.submit { slot?.value = nil }.get()
        }
    }
}

/// Counts open connections over all loops.
final class ConnectionCount: Sendable {
    private let count = Atomic(0)
    private let zeros = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    func add(_ change: Int) {
        if count.add(change, ordering: .acquiringAndReleasing).newValue == 0 { zeros.continuation.yield() }
    }

    var value: Int { count.load(ordering: .acquiring) }

    /// Returns when no connection is open, or when the calling task is cancelled. Only one task may wait at a time.
    func waitForZero() async {
        guard value > 0 else { return }
        for await _ in zeros.stream where value == 0 { return }
    }
}

/// Numbers connections for logs: 1, 2, 3, …
final class ConnectionIDs: Sendable {
    private let last = Atomic<UInt64>(0)

    func next() -> UInt64 {
        last.add(1, ordering: .relaxed).newValue
    }
}
