public import ApusBroker
import ApusProtocol
import Hummingbird
public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle

/// The whole server as a service: topics, WebSocket and REST, on one port or several.
///
/// ```swift
/// let service = ApusService(configuration: configuration, logger: logger)
/// try await ServiceGroup(services: [service], gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
/// Shutting down gracefully stops the listener, refuses commands, delivers what was acknowledged, closes every socket with
/// 1001, and takes no longer than the configuration's `drainTimeout`.
public struct ApusService: Service {
    /// What a WebSocket at `/ws` is for.
    public enum Mode: Sendable {
        case pubSub
        /// Every message is sent back: for test suites of RFC 6455.
        case echo
    }

    /// The same topics for the program that the server is part of. Its subscribers are not the server's to close: when that
    /// stops, the topics stay for as long as they are held here.
    public let pubSub: PubSub
    private let broker: any Broker
    private let configuration: ServerConfiguration
    private let mode: Mode
    private let metrics: MetricsRegistry
    private let systemd: Systemd
    private let logger: Logger
    private let onListening: @Sendable ([ListenAddress]) async -> Void

    /// - Parameters:
    ///   - broker: where topics live; a ``MemoryBroker`` within the configuration's limits when none is given.
    ///   - metrics: what swift-metrics records for `/metrics`; one of its own when none is given. Bootstrap `MetricsSystem`
    ///     with the same to have other libraries' metrics there too.
    ///   - systemd: where the process was started by it: whose sockets are served in place of the configuration's, and who is
    ///     told how the server is.
    ///   - onListening: called with the bound addresses once connections are accepted.
    public init(
        configuration: ServerConfiguration,
        mode: Mode = .pubSub,
        broker: (any Broker)? = nil,
        metrics: MetricsRegistry? = nil,
        systemd: Systemd = .none,
        logger: Logger,
        onListening: @escaping @Sendable ([ListenAddress]) async -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.mode = mode
        let broker = broker ?? MemoryBroker(limits: configuration.brokerLimits)
        self.broker = broker
        pubSub = PubSub(sharing: broker, configuration.pubSubOptions) { ServerClock.now }
        self.metrics = metrics ?? MetricsRegistry(maxSeries: configuration.maxSeries)
        self.systemd = systemd
        self.logger = logger
        self.onListening = onListening
    }

    public func run() async throws {
        let threads = configuration.threads > 0 ? configuration.threads : System.coreCount
        let socketLoops = try SocketLoops(count: threads)
        let httpLoops = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        let result = await Result { try await run(on: socketLoops, httpLoops) }
        try await socketLoops.shutdown()
        try await httpLoops.shutdownGracefully()
        try result.get()
    }

    private func run(on socketLoops: SocketLoops, _ httpLoops: MultiThreadedEventLoopGroup) async throws {
        try broker.declare(configuration.declaredTopics, logger: logger)
        let workers = try await Workers(
            socketLoops: socketLoops.all,
            httpLoops: Array(httpLoops.makeIterator()),
            settings: configuration.workerSettings,
            broker: broker,
            sockets: SocketBudget(limit: OpenFiles.spareForSockets),
            logger: logger
        )
        let isDraining = DrainFlag()
        let gate = WebSocketGate(
            workers: workers,
            socketLoops: socketLoops,
            keys: APIKeys(configuration.apiKeys),
            maxConnections: configuration.maxConnections,
            isDraining: isDraining,
            isEcho: mode == .echo,
            compresses: configuration.compression == .on,
            refusals: HandshakeRefusals(registry: metrics, logger: logger),
            basePath: basePath
        )
        let metrics = ServerMetrics(registry: metrics, workers: workers, pubSub: pubSub, broker: broker)
        let streams = StreamGate(
            workers: workers,
            socketLoops: socketLoops,
            settings: configuration.workerSettings,
            isDraining: isDraining,
            log: RequestLog(logger: logger, metrics: metrics.requests, basePath: basePath),
            basePath: basePath
        )
        let http = httpConnections(on: httpLoops, gate: gate, streams: streams, metrics: metrics)
        let acceptor = Acceptor(
            gate: gate,
            streams: streams,
            http: http,
            handshakeTimeout: configuration.handshakeTimeout.milliseconds,
            logger: logger
        )
        var ports: [Acceptor.OpenPort] = []
        for socket in try ListeningSocket.open(configuration, passed: systemd.sockets) {
            ports.append(try await acceptor.open(socket))
        }
        let releaseAfter = configuration.releaseMemoryAfter.milliseconds
        let housekeeping = Housekeeping(broker: broker, workers: workers, http: http, releaseAfter: releaseAfter)
        let keepingHouse = Task { await housekeeping.run() }
        defer { keepingHouse.cancel() }
        // A task of its own, so that HTTP requests that never end can be cut at the deadline.
        let serving = Task { await http.run() }
        let watching = Task { [systemd] in await systemd.keepWatch { workers.isAlive } }
        defer { watching.cancel() }
        await onListening(ports.map(\.address))
        systemd.tellReady(logger: logger)
        try? await gracefulShutdown()
        systemd.tellStopping()
        let drainTimeout = Task.isCancelled ? .zero : configuration.drainTimeout
        isDraining.set()
        // Not in this task: it may be cancelled, and then could not wait for anything.
        await Task { [ports] in
            await workers.forEach { $0.refuseCommands() }
            for port in ports { await port.close() }
            http.quiesce()
            await drain(workers, within: drainTimeout, serving: serving)
            await serving.value
            await workers.stop()
        }.value
    }

    private func httpConnections(
        on loops: MultiThreadedEventLoopGroup,
        gate: WebSocketGate,
        streams: StreamGate,
        metrics: ServerMetrics
    ) -> HTTPConnections {
        var logger = logger
        // Hummingbird's own lines would say twice what ours do.
        logger.logLevel = max(logger.logLevel, .warning)
        let responder = RouterResponder(
            router: router(gate: gate, streams: streams, metrics: metrics).buildResponder(),
            logger: logger
        )
        let child = ApusChannel(
            responder: responder.respond,
            gate: gate,
            log: streams.log,
            timeouts: NegotiationHandler.Timeouts(
                request: TimeAmount(configuration.handshakeTimeout),
                close: TimeAmount(configuration.closeTimeout)
            ),
            idleTimeout: configuration.idleTimeout > .zero ? TimeAmount(configuration.idleTimeout) : nil,
            logger: self.logger
        )
        return HTTPConnections(loops: loops, child: child, budget: gate.workers.sockets, logger: logger)
    }

    private func router(
        gate: WebSocketGate,
        streams: StreamGate,
        metrics: ServerMetrics
    ) -> Router<ApusRequestContext> {
        let router = Router(context: ApusRequestContext.self, options: [.autoGenerateHeadEndpoints])
        router.addMiddleware {
            RequestMiddleware(basePath: basePath, log: streams.log)
            APIKeyMiddleware(basePath: basePath, keys: streams.settings.apiKeys)
        }
        Routes(
            broker: broker,
            pubSub: pubSub,
            workers: streams.workers,
            streams: streams,
            settings: streams.settings,
            defaults: configuration.brokerLimits,
            createExisting: configuration.createExisting,
            isDraining: streams.isDraining,
            metrics: metrics,
            refusals: gate.refusals,
            basePath: basePath
        ).add(to: router)
        return router
    }

    private var basePath: BasePath { BasePath(configuration.basePath) }

    /// Delivers and closes. All loops refuse commands by now, so that everything acknowledged is in the logs.
    private func drain(_ workers: Workers, within timeout: Duration, serving: Task<Void, Never>) async {
        let deadline = ContinuousClock.now + timeout
        logger.info("draining", metadata: ["connections": "\(workers.open.value + workers.streams.value)"])
        await workers.forEach { $0.drain() }
        let areClosed = await isOver(by: deadline) {
            await workers.open.waitForZero()
            await workers.streams.waitForZero()
        }
        if !areClosed {
            let left = workers.open.value + workers.streams.value
            logger.warning("drain timed out", metadata: ["connections": "\(left)"])
            await workers.forEach { $0.abort() }
        }
        await workers.forEach { $0.finishDrain() }
        if await !isOver(by: deadline, { _ = await serving.result }) {
            logger.warning("requests cut off")
            serving.cancel()
        }
    }

    /// Whether `work` has ended before the time is up. Work that does not heed cancellation goes on.
    private func isOver(by deadline: ContinuousClock.Instant, _ work: @escaping @Sendable () async -> Void) async
        -> Bool
    {
        let first = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingOldest(1))
        let working = Task {
            await work()
            first.continuation.yield(true)
        }
        let waiting = Task {
            try? await Task.sleep(until: deadline)
            first.continuation.yield(false)
        }
        defer {
            working.cancel()
            waiting.cancel()
        }
        return await first.stream.first { _ in true } ?? true
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}
