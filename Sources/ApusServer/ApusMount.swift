public import ApusBroker
import ApusJournal
import ApusProtocol
public import Hummingbird
import HummingbirdCore
public import Logging
public import NIOCore
public import NIOPosix
public import ServiceLifecycle

/// Serves Apus below a path of a Hummingbird application that has its own routes and port.
///
/// ```swift
/// let apus = try await ApusMount(at: "/live", logger: logger)
/// let router = Router()
/// router.get("/") { _, _ in "Hello" }
/// let app = Application(router: router, server: apus.server, services: [apus], logger: logger)
/// try await app.runService()
/// ```
/// WebSockets are at `/live/ws`, topics at `/live/topics`, and so on. Requests below the path bypass the application's
/// router and middleware, so only the configuration controls access.
///
/// Clients connect without TLS: use a proxy, and not Hummingbird's TLS, which would end where a socket becomes a
/// WebSocket's. The application has no WebSockets of its own: a handshake on one of its paths arrives as a plain
/// request. Apus' time limits for requests and idle connections hold for the application's requests as well.
///
/// Add the mount to the application's services. The application then starts it. When the application stops, the mount
/// delivers every acknowledged message and closes its clients' connections.
public struct ApusMount: Service {
    /// The same topics, for use by the program itself.
    public let pubSub: PubSub
    private let broker: any Broker
    private let journal: (any ServerJournal)?
    private let configuration: ServerConfiguration
    private let socketLoops: SocketLoops
    private let engine: Engine
    private let logger: Logger

    /// - Parameters:
    ///   - path: the path to serve below. It must begin with a slash and must not be only a slash.
    ///   - configuration: the server's configuration. The mount ignores its listen addresses,
    ///     `tls` and `proxy_protocol`.
    ///   - eventLoopGroup: the application's event loop group.
    ///   - metrics: records the swift-metrics values served at `/metrics`. Defaults to a registry of the mount's own.
    /// - Throws: ``ConfigurationError``, ``DataError``, or an error when the system has no resources for event loops.
    public init(
        at path: String,
        configuration: ServerConfiguration = ServerConfiguration(),
        eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        metrics: MetricsRegistry? = nil,
        logger: Logger
    ) async throws {
        let logger = logger.keepingWarnings()
        var configuration = configuration
        configuration.basePath = try ApusMount.basePath(path)
        // The port is the application's.
        configuration.tls = ServerConfiguration.TLS()
        self.configuration = configuration
        let (broker, journal) = try MemoryBroker.make(configuration, cluster: nil, logger: logger)
        (self.broker, self.journal) = (broker, journal)
        pubSub = PubSub(sharing: broker, configuration.pubSubOptions) { ServerClock.now }
        try await broker.declare(configuration.topics.declared, logger: logger)
        socketLoops = try SocketLoops(count: configuration.threads > 0 ? configuration.threads : System.coreCount)
        do {
            engine = try await Engine(
                configuration,
                broker: broker,
                pubSub: pubSub,
                registry: metrics ?? MetricsRegistry(maxSeries: configuration.limits.maxSeries),
                socketLoops: socketLoops,
                httpLoops: Array(eventLoopGroup.makeIterator()),
                logger: logger
            )
        } catch {
            try? await socketLoops.shutdown()
            throw error
        }
        self.logger = logger
    }

    private static func basePath(_ path: String) throws -> String {
        guard let base = try? ValueCodec.basePath.read(.text(path)), !base.isEmpty else {
            throw ConfigurationError(
                code: .invalidValue,
                setting: "base_path",
                value: path,
                source: nil,
                reason: "is not \(ValueCodec.basePathExpectation)"
            )
        }
        return base
    }

    /// Pass this to the application: it serves the application's router, and Apus below the path.
    public var server: HTTPServerBuilder {
        HTTPServerBuilder { [engine, basePath = BasePath(configuration.basePath)] application in
            // The application's server stops before this service, so its connections must not wait for the drain.
            engine.channel(staysForDrain: false) { request, writer, inFlight, channel in
                if basePath.rest(of: request.uri.path) != nil {
                    try await engine.responder.respond(to: request, writer, inFlight)
                } else {
                    try await application(request, writer, channel)
                }
            }
        }
    }

    public func run() async throws {
        let housekeeping = Housekeeping(engine, broker: broker, http: nil, logger: logger)
        let keepingHouse = Task { await housekeeping.run() }
        try? await gracefulShutdown()
        keepingHouse.cancel()
        let drainTimeout = Task.isCancelled ? .zero : configuration.timeouts.drain
        await Task {
            await engine.refuse()
            await engine.drain(within: drainTimeout, requests: nil)
            await engine.contexts.stop(after: keepingHouse)
            await engine.exporter?.flush()
        }.value
        try await socketLoops.shutdown()
        await journal.endKeeping(within: configuration.timeouts, logger: logger)
    }
}
