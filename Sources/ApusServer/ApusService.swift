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
/// Shutting down gracefully stops the listener, refuses commands, delivers what was acknowledged, closes every socket
/// with 1001, and takes no longer than the configuration's `drainTimeout`.
public struct ApusService: Service {
    /// What a WebSocket at `/ws` is for.
    public enum Mode: Sendable {
        case pubSub
        /// Every message is sent back: for test suites of RFC 6455.
        case echo
    }

    /// The same topics for the program that the server is part of. Its subscribers are not the server's to close: when
    /// that stops, the topics stay for as long as they are held here.
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
    ///   - metrics: what swift-metrics records for `/metrics`; one of its own when none is given. Bootstrap
    ///     `MetricsSystem` with the same to have other libraries' metrics there too.
    ///   - systemd: where the process was started by it: whose sockets are served in place of the configuration's, and
    ///     who is told how the server is.
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
        let engine = try await Engine(
            configuration,
            mode: mode,
            broker: broker,
            pubSub: pubSub,
            registry: metrics,
            socketLoops: socketLoops,
            httpLoops: Array(httpLoops.makeIterator()),
            logger: logger
        )
        let workers = engine.workers
        let http = HTTPConnections(
            loops: httpLoops,
            child: engine.channel(responder: engine.responder),
            budget: workers.sockets,
            logger: engine.quietLogger
        )
        let acceptor = Acceptor(
            gate: engine.gate,
            streams: engine.streams,
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
        // Not in this task: it may be cancelled, and then could not wait for anything.
        await Task { [ports] in
            await engine.refuse()
            for port in ports { await port.close() }
            http.quiesce()
            await engine.drain(within: drainTimeout, requests: serving)
            await serving.value
            await workers.stop()
        }.value
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
