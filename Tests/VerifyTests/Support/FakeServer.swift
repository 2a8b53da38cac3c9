import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import Synchronization

/// A server on a free port with as much of the protocol as a verification uses, and one fault.
struct FakeServer: Sendable {
    typealias HTTPChannel = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>
    typealias WebSocketChannel = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>

    enum Connection: Sendable {
        case http(HTTPChannel)
        case webSocket(WebSocketChannel)
    }

    let broker: FakeBroker
    /// Whether it knows the extensions' HTTP part.
    let hasHTTP: Bool

    /// Runs the server for as long as `body` takes. `besides` is another node of its cluster.
    static func withServer<Result: Sendable>(
        _ fault: FakeFault? = nil,
        hasHTTP: Bool = true,
        besides other: FakeBroker? = nil,
        body: @Sendable @escaping (Int, FakeBroker) async throws -> Result
    ) async throws -> Result {
        let broker = other.map { FakeBroker(besides: $0, fault: fault) } ?? FakeBroker(fault: fault)
        let server = FakeServer(broker: broker, hasHTTP: hasHTTP)
        let open = OpenChannels()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: 0) { channel in
                open.add(channel)
                return channel.eventLoop.makeCompletedFuture { try configure(channel) }
            }
        let port = listener.channel.localAddress?.port ?? 0
        return try await listener.executeThenClose { connections in
            try await withThrowingTaskGroup(of: Result?.self) { group in
                group.addTask {
                    try await withThrowingDiscardingTaskGroup { tasks in
                        for try await connection in connections {
                            tasks.addTask { try? await server.serve(connection.get()) }
                        }
                    }
                    return nil
                }
                group.addTask { try await body(port, server.broker) }
                defer {
                    group.cancelAll()
                    open.closeAll()
                }
                while let finished = try await group.next() {
                    if let finished { return finished }
                }
                throw CancellationError()
            }
        }
    }

    private static func configure(_ channel: any Channel) throws -> EventLoopFuture<Connection> {
        let upgrader = NIOTypedWebSocketServerUpgrader<Connection>(
            maxFrameSize: 16 << 20,
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(HTTPHeaders()) },
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    .webSocket(try WebSocketChannel(wrappingChannelSynchronously: channel))
                }
            }
        )
        return try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
            configuration: .init(
                upgradeConfiguration: NIOTypedHTTPServerUpgradeConfiguration(
                    upgraders: [upgrader],
                    notUpgradingCompletionHandler: { channel in
                        channel.eventLoop.makeCompletedFuture {
                            .http(try HTTPChannel(wrappingChannelSynchronously: channel))
                        }
                    }
                )
            )
        )
    }

    private func serve(_ connection: Connection) async throws {
        switch connection {
        case .http(let channel): try await serve(channel)
        case .webSocket(let channel): try await serve(channel)
        }
    }
}

/// The connections of a server; one on which no request came yet does not end with its task.
private final class OpenChannels: Sendable {
    private let channels = Mutex<[any Channel]>([])

    func add(_ channel: any Channel) {
        channels.withLock { $0.append(channel) }
    }

    func closeAll() {
        for channel in channels.withLock({ $0 }) { channel.close(promise: nil) }
    }
}
