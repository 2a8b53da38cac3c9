import ApusServer
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// Runs the whole server in this process on a free port, calls `body` with the port, and stops it gracefully.
///
/// Fails when the server does, or when it has not stopped within the configuration's drain time.
func withServer<Result: Sendable>(
    _ configuration: ServerConfiguration = .forTests,
    body: @escaping @Sendable (Int) async throws -> Result
) async throws -> Result {
    let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    let (ports, port) = AsyncStream.makeStream(of: Int.self)
    let service = try ApusService(configuration: configuration, logger: logger) { addresses in
        port.yield(addresses.first?.port ?? 0)
    }
    let group = ServiceGroup(services: [service], logger: logger)
    return try await withThrowingTaskGroup(of: Result?.self) { tasks in
        tasks.addTask {
            defer { port.finish() }
            try await group.run()
            return nil
        }
        tasks.addTask {
            var iterator = ports.makeAsyncIterator()
            guard let port = await iterator.next() else { throw ServerDidNotStart() }
            do {
                let result = try await body(port)
                await group.triggerGracefulShutdown()
                return result
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
        }
        var result: Result?
        for try await finished in tasks { if let finished { result = finished } }
        guard let result else { throw ServerDidNotStart() }
        return result
    }
}

struct ServerDidNotStart: Error {}

extension ServerConfiguration {
    /// Two loops on a free port, and nothing that sends by itself.
    static var forTests: ServerConfiguration {
        var configuration = ServerConfiguration()
        configuration.port = 0
        configuration.threads = 2
        configuration.timeouts.heartbeat = .zero
        configuration.timeouts.pingInterval = .zero
        configuration.timeouts.drain = .seconds(5)
        return configuration
    }
}
