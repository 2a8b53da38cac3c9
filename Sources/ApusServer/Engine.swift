import ApusAccess
import ApusBroker
import ApusProtocol
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

/// Everything that serves clients, independent of who owns the port.
struct Engine: Sendable {
    let contexts: LoopContexts
    let addresses: ClientAddresses
    let gate: WebSocketGate
    let streams: StreamGate
    /// Answers all requests except handshakes and most event streams.
    let responder: RouterResponder
    /// The revocations of all nodes; `nil` if the server is no node of a cluster.
    let revocations: ClusterRevocations?
    let reloads: ReloadRecord
    let figures: ConsoleFigures
    /// `nil` if the server speaks no TLS.
    let tls: TLSInForce?
    /// `nil` if no spans are made.
    let exporter: SpanExporter?
    private let documents: Documents
    private let configuration: ServerConfiguration
    private let broker: any Broker
    private let logger: Logger

    /// - Parameters:
    ///   - isLocal: whether the server listens only on loopback addresses.
    ///   - httpLoops: all event loops that HTTP connections may run on.
    ///   - cluster: what the node knows of its cluster; `nil` if it is in none.
    init(
        _ configuration: ServerConfiguration,
        mode: ApusService.Mode = .pubSub,
        isLocal: Bool = false,
        broker: any Broker,
        pubSub: PubSub,
        registry: MetricsRegistry,
        socketLoops: SocketLoops,
        httpLoops: [any EventLoop],
        cluster: ClusterView? = nil,
        logger: Logger
    ) async throws {
        let basePath = BasePath(configuration.basePath)
        let access = try await Self.access(configuration.access, logger)
        tls = try configuration.tls.load().map { TLSInForce($0) }
        let spans = configuration.tracing.isOn ? SpanQueue(limit: configuration.tracing.queue) : nil
        exporter = spans.map { SpanExporter(configuration.tracing, queue: $0, logger: logger) }
        contexts = try await LoopContexts(
            socketLoops: socketLoops.all,
            httpLoops: httpLoops,
            settings: configuration,
            isLocal: isLocal,
            access: access,
            broker: broker,
            sockets: SocketBudget(limit: SocketBudget.possible),
            spans: spans.map { SpanSource(configuration.tracing, queue: $0) },
            logger: logger
        )
        revocations = await ClusterRevocations.followed(cluster?.journal, contexts, logger: logger)
        addresses = ClientAddresses(configuration, registry: registry, logger: logger)
        gate = WebSocketGate(
            contexts: contexts,
            socketLoops: socketLoops,
            access: access,
            addresses: addresses,
            tls: tls,
            isEcho: mode == .echo,
            refusals: HandshakeRefusals(registry: registry, logger: logger),
            basePath: basePath
        )
        figures = ConsoleFigures(contexts, pubSub, broker, cluster)
        let recentLog = logger.recent ?? RecentLog()
        let metrics = ServerMetrics(
            registry: registry,
            contexts: contexts,
            pubSub: pubSub,
            broker: broker,
            consoles: figures.seats,
            tls: tls,
            recentLog: recentLog
        )
        reloads = metrics.reloads
        let log = RequestLog(logger: logger, metrics: metrics.requests, basePath: basePath)
        streams = StreamGate(beside: gate, log: log)
        documents = Documents(basePath: configuration.basePath, settings: contexts.inForce)
        let routes = Routes(
            broker: broker,
            pubSub: pubSub,
            access: access,
            contexts: contexts,
            streams: streams,
            metrics: metrics,
            refusals: gate.refusals,
            documents: documents,
            figures: figures,
            recentLog: recentLog,
            cluster: cluster,
            revocations: revocations,
            logger: logger
        )
        cluster?.listings.answer(by: { await routes.rows(for: $0) })
        responder = Self.responder(routes, addresses, scheme: tls == nil ? "http" : "https", logger)
        self.configuration = configuration
        self.broker = broker
        self.logger = logger
    }

    private static func responder(
        _ routes: Routes,
        _ addresses: ClientAddresses,
        scheme: String,
        _ logger: Logger
    ) -> RouterResponder {
        let (settings, streams) = (routes.contexts.inForce, routes.streams)
        let router = Router(context: ApusRequestContext.self, options: [.autoGenerateHeadEndpoints])
        if let spans = routes.contexts.spans {
            router.add(middleware: SpanMiddleware(source: spans, basePath: streams.basePath, scheme: scheme))
        }
        router.addMiddleware {
            CrossOriginMiddleware(settings: settings)
            RequestMiddleware(basePath: streams.basePath, log: streams.log)
            SiteMiddleware(settings: settings)
            AccessMiddleware(access: routes.access)
        }
        routes.add(to: router, below: streams.basePath)
        return RouterResponder(router: router.buildResponder(), addresses: addresses, logger: quiet(logger))
    }

    private static func access(
        _ settings: ServerConfiguration.Access,
        _ logger: Logger
    ) async throws(ConfigurationError) -> AccessControl {
        AccessControl(
            try await settings.policy { logger.warning("\($0)") },
            revocations: Revocations(lifetime: settings.revocationLifetime),
            grace: settings.tokenGrace.wholeMilliseconds
        )
    }

    /// Hummingbird's own log lines would repeat ours.
    var quietLogger: Logger { Self.quiet(logger) }

    private static func quiet(_ logger: Logger) -> Logger {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        return quiet
    }

    /// - Parameters:
    ///   - staysForDrain: whether connections without a request stay open until the drain is over.
    ///   - responder: answers every request that is not a handshake.
    func channel(
        staysForDrain: Bool = true,
        responder: @escaping ApusChannel.Responder
    ) -> ApusChannel {
        ApusChannel(
            responder: responder,
            gate: gate,
            log: streams.log,
            timeouts: HTTPConnectionState.Timeouts(
                request: TimeAmount(configuration.timeouts.handshake),
                close: TimeAmount(configuration.timeouts.close),
                idle: configuration.timeouts.idle > .zero ? TimeAmount(configuration.timeouts.idle) : nil
            ),
            staysForDrain: staysForDrain,
            logger: logger
        )
    }

    /// Puts other settings in force, and has every loop look at its clients again.
    ///
    /// Rate limits hold at once for open connections and existing topics, too.
    func take(_ settings: ServerConfiguration) async {
        contexts.inForce.replace(with: settings)
        addresses.use(settings.addressRules)
        documents.openAPI.forget()
        documents.asyncAPI.forget()
        broker.limitRate(settings.rates.topicLimit)
        contexts.budgets.change(to: RateLimits(settings.rates))
        await contexts.forEach { context in
            context.take(settings)
            context.checkAccess()
        }
    }

    // MARK: Shutdown

    /// Stops accepting clients and commands.
    func refuse() async {
        contexts.isDraining.set()
        figures.seats.end()
        await contexts.forEach { $0.refuseCommands() }
    }

    /// Delivers pending messages, then closes the connections. Call it when all loops refuse commands, so that the logs
    /// already contain every acknowledged message.
    ///
    /// - Parameter requests: a task that ends when all HTTP requests are answered. It is cancelled when the time is up.
    func drain(within timeout: Duration, requests: Task<Void, Never>?) async {
        let deadline = ContinuousClock.now + timeout
        logger.info("draining", metadata: ["connections": "\(contexts.open.value + contexts.streams.value)"])
        await contexts.forEach { $0.drain() }
        let areClosed = await isOver(by: deadline) {
            await contexts.open.waitForZero()
            await contexts.streams.waitForZero()
        }
        if !areClosed {
            let left = contexts.open.value + contexts.streams.value
            logger.warning("drain timed out", metadata: ["connections": "\(left)"])
            await contexts.forEach { $0.abort() }
        }
        await contexts.forEach { $0.finishDrain() }
        guard let requests else { return }
        if await !isOver(by: deadline, { _ = await requests.result }) {
            logger.warning("requests cut off")
            requests.cancel()
        }
    }

    /// Returns whether `work` ends before the deadline. Work that ignores cancellation continues in the background.
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
