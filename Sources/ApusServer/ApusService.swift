public import ApusBroker
import ApusJournal
import ApusProtocol
import ApusSockets
import Hummingbird
public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle

/// The whole server as a service: topics, WebSocket and REST API, on one port or several.
///
/// ```swift
/// let service = try ApusService(configuration: configuration, logger: logger)
/// try await ServiceGroup(services: [service], gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
/// On graceful shutdown the service stops listening, refuses commands, delivers every acknowledged message, and closes
/// every socket with code 1001. This takes at most the configuration's `timeouts.drain`.
public struct ApusService: Service {
    /// What the WebSocket endpoint `/ws` does.
    package enum Mode: Sendable {
        case pubSub
        /// Sends every message back. For RFC 6455 test suites.
        case echo
    }

    /// The server's topics, for use by the program that embeds the server. The server does not close the subscribers of
    /// this object: they keep working after the server stops, and the topics exist as long as the program holds them.
    public let pubSub: PubSub
    private let broker: any Broker
    private let journal: (any ServerJournal)?
    /// `nil` if the server is no node of a cluster.
    private let cluster: ClusterView?
    private let configuration: ServerConfiguration
    package var mode = Mode.pubSub
    private let metrics: MetricsRegistry
    private let systemd: Systemd
    private let reloading: Reloading?
    private let logger: Logger
    private let onListening: @Sendable ([ListenAddress]) async -> Void

    /// - Parameters:
    ///   - metrics: records the swift-metrics values served at `/metrics`. Defaults to a registry of the service's own.
    ///     Bootstrap `MetricsSystem` with the same registry to include the metrics of other libraries.
    ///   - systemd: the connection to systemd if it started the process. The service serves the sockets that systemd
    ///     passes instead of the configured addresses, and reports its state to systemd.
    ///   - reloading: how the service gets other configurations while it runs.
    ///   - cluster: makes the server a node of it.
    ///   - onListening: called with the bound addresses once the service accepts connections.
    /// - Throws: ``DataError`` if the folder that the configuration names cannot be used.
    public init(
        configuration: ServerConfiguration,
        metrics: MetricsRegistry? = nil,
        systemd: Systemd = .none,
        reloading: Reloading? = nil,
        cluster: ClusterConnection? = nil,
        logger: Logger,
        onListening: @escaping @Sendable ([ListenAddress]) async -> Void = { _ in }
    ) throws {
        let logger = logger.keepingWarnings()
        self.configuration = configuration
        let (broker, journal) = try MemoryBroker.make(configuration, cluster: cluster, logger: logger)
        (self.broker, self.journal) = (broker, journal)
        self.cluster = (journal as? ClusterJournal).flatMap { journal in
            cluster.map { connection in
                ClusterView(
                    connection,
                    name: configuration.cluster.node,
                    maxTopics: configuration.limits.maxTopics,
                    journal: journal,
                    broker: broker
                )
            }
        }
        pubSub = PubSub(sharing: broker, configuration.pubSubOptions) { ServerClock.now }
        self.metrics = metrics ?? MetricsRegistry(maxSeries: configuration.limits.maxSeries)
        self.systemd = systemd
        self.reloading = reloading
        self.logger = logger
        self.onListening = onListening
    }

    public func run() async throws {
        guard await hasCaughtUp() else { return }
        let declaring = try await declareTopics()
        defer { declaring?.cancel() }
        let threads = configuration.threads > 0 ? configuration.threads : System.coreCount
        let socketLoops = try SocketLoops(count: threads)
        let httpLoops = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        for loop in httpLoops.makeIterator() { loop.execute(ThreadPriority.takeFromProcess) }
        let result = await Result { try await run(on: socketLoops, httpLoops) }
        try await socketLoops.shutdown()
        try await httpLoops.shutdownGracefully()
        await journal.endKeeping(within: configuration.timeouts, logger: logger)
        try result.get()
    }

    /// Waits until a node knows what its cluster has: until then, no topic would be there for its clients.
    ///
    /// - Returns: whether it does; otherwise the service was asked to stop.
    private func hasCaughtUp() async -> Bool {
        guard let cluster = journal as? ClusterJournal else { return true }
        return await cancelWhenGracefulShutdown {
            let start = ContinuousClock.now
            var next = start + .seconds(1)
            while !cluster.status.isCaughtUp {
                do { try await Task.sleep(for: .milliseconds(20)) } catch { return false }
                guard ContinuousClock.now >= next, let reason = cluster.waitsFor else { continue }
                next += .seconds(1)
                logger.notice("waiting for the cluster", metadata: ["reason": "\(reason)"])
            }
            let milliseconds = (ContinuousClock.now - start).wholeMilliseconds
            logger.info("read the cluster", metadata: ["topics": "\(broker.topicCount)", "ms": "\(milliseconds)"])
            return true
        }
    }

    /// Makes the topics of the configuration; those of a cluster as soon as it can decide.
    private func declareTopics() async throws -> Task<Void, Never>? {
        let declared = configuration.topics.declared
        guard broker.journal?.decidesTopics == true, !declared.isEmpty else {
            try await broker.declare(declared, logger: logger)
            return nil
        }
        return Task { [broker, logger] in
            while !Task.isCancelled {
                do throws(BrokerError) {
                    return try await broker.declare(declared, logger: logger)
                } catch {
                    logger.warning("topics not declared yet", metadata: ["reason": "\(error.message)"])
                    try? await Task.sleep(for: .seconds(1))
                }
            }
        }
    }

    private func run(on socketLoops: SocketLoops, _ httpLoops: MultiThreadedEventLoopGroup) async throws {
        let isLocal = configuration.isLocal(passed: systemd.sockets)
        warn(isLocal: isLocal)
        let engine = try await Engine(
            configuration,
            mode: mode,
            isLocal: isLocal,
            broker: broker,
            pubSub: pubSub,
            registry: metrics,
            socketLoops: socketLoops,
            httpLoops: Array(httpLoops.makeIterator()),
            cluster: cluster,
            logger: logger
        )
        let contexts = engine.contexts
        let http = HTTPConnections(
            loops: httpLoops,
            child: engine.channel { [responder = engine.responder] request, writer, inFlight, _ in
                try await responder.respond(to: request, writer, inFlight)
            },
            budget: contexts.sockets,
            logger: engine.quietLogger
        )
        let acceptor = Acceptor(
            gate: engine.gate,
            streams: engine.streams,
            http: http,
            handshakeTimeout: configuration.timeouts.handshake.wholeMilliseconds,
            logger: logger
        )
        var ports: [Acceptor.OpenPort] = []
        for socket in try ListeningSocket.open(configuration, passed: systemd.sockets) {
            ports.append(try await acceptor.open(socket))
        }
        cluster?.isListening(at: ports.first?.address)
        let housekeeping = Housekeeping(engine, broker: broker, http: http, logger: logger)
        let keepingHouse = Task { await housekeeping.run() }
        let watchingCertificates = engine.tls.map { tls in Task { await CertificateWatch.run(tls, logger: logger) } }
        defer { watchingCertificates?.cancel() }
        // A separate task, so that the deadline can cancel HTTP requests that never end.
        let serving = Task { await http.run() }
        let watching = Task { [systemd] in await systemd.keepWatch { contexts.isAlive } }
        defer { watching.cancel() }
        await onListening(ports.map(\.address))
        systemd.tellReady(logger: logger)
        let reloader = reloading.map {
            Reloader(source: $0, engine: engine, broker: broker, systemd: systemd, logger: logger)
        }
        let waitingForReloads = Task { await reloader?.run() }
        try? await gracefulShutdown()
        waitingForReloads.cancel()
        systemd.tellStopping()
        let drainTimeout = Task.isCancelled ? .zero : contexts.settings.timeouts.drain
        // Not in this task: it may be cancelled, and a cancelled task cannot wait.
        await Task { [ports] in
            await engine.refuse()
            for port in ports { await port.close() }
            http.quiesce()
            await engine.drain(within: drainTimeout, requests: serving)
            await serving.value
            await contexts.stop(after: keepingHouse)
            await engine.exporter?.flush()
        }.value
    }
}

extension ApusService {
    /// Says that a server is open to more than its own machine, or that a setting has no effect.
    fileprivate func warn(isLocal: Bool) {
        if configuration.proxies.speakProxyProtocol, configuration.proxies.trusted == TrustedProxies() {
            logger.warning("proxy_protocol has no effect, as trusted_proxies is empty")
        }
        guard mode == .pubSub, !isLocal, configuration.isOpenToEverybody else { return }
        logger.warning(
            """
            everybody who can reach this server may read, publish and delete everything; set keys_file or \
            tokens.keys to ask for credentials
            """
        )
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
