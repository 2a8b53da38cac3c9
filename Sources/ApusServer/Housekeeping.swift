import ApusBroker
import ApusProtocol
import CEpoll
import Glibc
import Logging

/// Periodic work off the event loops: removes expired data, returns memory to the system when the server is quiet,
/// sends spans and tells other nodes.
struct Housekeeping {
    /// How often topics are checked, and how many per check. With more topics, one pass takes several checks.
    private static let (interval, topicsAtOnce) = (Duration.seconds(1), 10_000)
    /// How many budgets of publishers are checked per check.
    private static let budgetsAtOnce = 10_000

    /// How many checks pass between two looks at all revocations.
    private static let checksPerCleanup = 60

    let figures: ConsoleFigures
    let broker: any Broker
    let contexts: LoopContexts
    /// `nil` when the host application owns the HTTP connections.
    let http: HTTPConnections?
    let addresses: ClientAddresses
    /// `nil` if no spans are made.
    let exporter: SpanExporter?
    /// `nil` if the server is no node of a cluster.
    let cluster: ClusterView?
    let revocations: ClusterRevocations?
    let logger: Logger

    init(_ engine: Engine, broker: any Broker, http: HTTPConnections?, logger: Logger) {
        figures = engine.figures
        self.broker = broker
        contexts = engine.contexts
        self.http = http
        addresses = engine.addresses
        exporter = engine.exporter
        cluster = engine.figures.cluster
        revocations = engine.revocations
        self.logger = logger
    }

    /// Runs until its task is cancelled.
    func run() async {
        async let memory: Void = MemoryKeeper.run(contexts, broker: broker, logger: logger)
        async let samples: Void = figures.run()
        async let spans: Void? = exporter?.run()
        async let peers: Void? = cluster?.run(figures)
        await keepHouse()
        await memory
        await samples
        _ = await spans
        _ = await peers
    }

    private func keepHouse() async {
        var watch = QuietWatch(
            patience: contexts.settings.timeouts.releaseMemoryAfter.wholeMilliseconds,
            now: LoopContext.monotonicNow(),
            processorTime: Self.processorTime
        )
        var checks = 0
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.interval)
            checks += 1
            revocations?.warnIfLeftOut()
            if checks.isMultiple(of: Self.checksPerCleanup) {
                revocations?.forgetExpired()
                contexts.access.forgetExpiredRevocations()
            }
            let now = ServerClock.now.steady
            broker.trim(now: now, limit: Self.topicsAtOnce)
            contexts.budgets.forgetIdle(now: now, limit: Self.budgetsAtOnce)
            if watch.isTime(now: LoopContext.monotonicNow(), processorTime: Self.processorTime) {
                await releaseMemory()
            }
        }
    }

    private func releaseMemory() async {
        cepoll_set_ends(CInt(CEPOLL_RELEASE_ENDS))
        defer { cepoll_set_ends(CInt(CEPOLL_KEEP_ENDS)) }
        await contexts.releaseMemory()
        http?.releaseMemory()
        addresses.releaseMemory()
        broker.releaseMemory()
        // Also returns free pages between used ones. It takes up to 25 ms per 100 MB of free memory and blocks
        // allocations meanwhile, so it waits until the server is quiet.
        malloc_trim(0)
    }

    /// The processor time of all threads of the process so far, in milliseconds.
    private static var processorTime: Int64 { Int64(cepoll_milliseconds(CLOCK_PROCESS_CPUTIME_ID)) }
}

/// Detects when a server that was busy becomes quiet. Times are in milliseconds.
struct QuietWatch {
    /// The load, in percent of one core, that counts as quiet: pings and heartbeats of 100,000 idle connections.
    private static let quietShare: Int64 = 5
    /// With less processor time used than this, there is not much memory to free.
    private static let leastWork: Int64 = 200

    private let patience: Int64
    private var last: (now: Int64, processorTime: Int64)
    private var quietSince: Int64
    private var released: Int64

    /// - Parameters:
    ///   - patience: how long the server must be quiet; 0 means never.
    ///   - now: a monotonic time.
    ///   - processorTime: the processor time of the process so far.
    init(patience: Int64, now: Int64, processorTime: Int64) {
        self.patience = patience
        last = (now, processorTime)
        quietSince = now
        released = processorTime
    }

    /// Returns whether to free memory now: `true` once after each busy period, when the server has been quiet.
    mutating func isTime(now: Int64, processorTime: Int64) -> Bool {
        if (processorTime - last.processorTime) * 100 > (now - last.now) * Self.quietShare { quietSince = now }
        last = (now, processorTime)
        let isQuiet = patience > 0 && now - quietSince >= patience
        guard isQuiet, processorTime - released >= Self.leastWork else { return false }
        released = processorTime
        return true
    }
}
