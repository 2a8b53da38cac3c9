import ApusBroker
import HTTPTypes
import Hummingbird
import HummingbirdCore
import HummingbirdTesting
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

@testable import ApusServer

/// Where the tests of the routes run: at the router itself, or at a server on a port.
enum RouteServer: CaseIterable, Sendable {
    case router, live

    struct Answer: Sendable {
        let status: Int
        let fields: HTTPFields
        let body: String
    }

    /// Sends requests.
    struct Client: Sendable {
        fileprivate let send: @Sendable (HTTPRequest.Method, String, HTTPFields, ByteBuffer?) async throws -> Answer

        func callAsFunction(
            _ method: HTTPRequest.Method,
            _ path: String,
            _ body: String? = nil,
            _ fields: HTTPFields = [:]
        ) async throws -> Answer {
            try await send(method, path, fields, body.map(ByteBuffer.init(string:)))
        }
    }

    private static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    func run(
        _ change: (inout ApusServer.ServerConfiguration) -> Void = { _ in },
        _ steps: @escaping @Sendable (Client) async throws -> Void
    ) async throws {
        var configuration = ApusServer.ServerConfiguration()
        configuration.host = "127.0.0.1"
        configuration.port = 0
        configuration.threads = 1
        change(&configuration)
        switch self {
        case .router: try await Self.runAtRouter(configuration, steps)
        case .live: try await Self.runLive(configuration, steps)
        }
    }

    // MARK: At the router

    private static func runAtRouter(
        _ configuration: ApusServer.ServerConfiguration,
        _ steps: @escaping @Sendable (Client) async throws -> Void
    ) async throws {
        let broker = MemoryBroker(limits: configuration.brokerLimits)
        let socketLoops = try SocketLoops(count: 1)
        let httpLoops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let engine = try await Engine(
            configuration,
            isLocal: true,
            broker: broker,
            pubSub: PubSub(sharing: broker, configuration.pubSubOptions) { ServerClock.now },
            registry: MetricsRegistry(),
            socketLoops: socketLoops,
            httpLoops: [httpLoops.next()],
            logger: logger
        )
        let loop = httpLoops.next()
        let inFlight = try await loop.submit { InFlightRequest(on: NoConnection(), eventLoop: loop, caller: .unknown) }
            .get()
        let application = RouterApplication(
            responder: RouterApplication.Bridge(router: engine.responder, inFlight: inFlight),
            logger: logger
        )
        let result: Result<Void, any Error>
        do {
            try await application.test(.router) { client in
                try await steps(
                    Client { method, path, fields, body in
                        let response = try await client.executeRequest(
                            uri: path,
                            method: method,
                            headers: fields,
                            body: body
                        )
                        return Answer(
                            status: response.status.code,
                            fields: response.headers,
                            body: String(buffer: response.body)
                        )
                    }
                )
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await engine.contexts.stop()
        try await socketLoops.shutdown()
        try await httpLoops.shutdownGracefully()
        try result.get()
    }

    /// The router, as Hummingbird's tests want it.
    private struct RouterApplication: ApplicationProtocol {
        struct Bridge: HTTPResponder {
            let router: ApusServer.RouterResponder
            let inFlight: InFlightRequest

            func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
                try await router.respond(to: request, inFlight)
            }
        }

        let responder: Bridge
        let logger: Logger
    }

    // MARK: At a port

    private static func runLive(
        _ configuration: ApusServer.ServerConfiguration,
        _ steps: @escaping @Sendable (Client) async throws -> Void
    ) async throws {
        let ports = AsyncStream.makeStream(of: Int.self)
        let service = try ApusService(configuration: configuration, logger: logger) { addresses in
            if case .tcp(_, let port)? = addresses.first { ports.continuation.yield(port) }
            ports.continuation.finish()
        }
        let group = ServiceGroup(configuration: .init(services: [service], logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            for await port in ports.stream {
                try await TestClient.withClient(host: "127.0.0.1", port: port) { client in
                    try await steps(
                        Client { method, path, fields, body in
                            let request = TestClient.Request(
                                path,
                                method: method,
                                authority: "localhost",
                                headers: fields,
                                body: body
                            )
                            let response = try await client.execute(request)
                            return Answer(
                                status: response.status.code,
                                fields: response.head.headerFields,
                                body: response.body.map { String(buffer: $0) } ?? ""
                            )
                        }
                    )
                }
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }
}

/// A connection whose client stays until it is answered.
final class NoConnection: RequestConnection {
    func endWithClient(_ end: @escaping () -> Void) {}
    func askForBody() -> EventLoopFuture<Void>? { nil }
    func answer(with stream: OpenStream) { stream.cancel() }
}
