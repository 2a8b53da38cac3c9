import ApusProtocol
import ApusSockets
import ApusTLS
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import ApusServer

/// Adopted sockets, each with a client that is a channel.
@Suite(.timeLimit(.minutes(1))) struct HTTPConnectionsTests {
    private typealias Client = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private static let get = ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    private let budget = SocketBudget(limit: 1)
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    /// A server that answers each request with `hello`, and closes what is idle when it stops.
    private func connections() -> HTTPConnections {
        let child = ApusChannel(
            responder: { _, writer, _, _ in
                try await writer.write(response: .init(status: .ok), body: .init(byteBuffer: .init(string: "hello")))
            },
            gate: ScriptedGate(),
            log: RequestLog(
                logger: logger,
                metrics: RequestMetrics(registry: MetricsRegistry()),
                basePath: BasePath("")
            ),
            timeouts: HTTPConnectionState.Timeouts(request: .seconds(60), close: .seconds(60)),
            staysForDrain: false,
            logger: logger
        )
        return HTTPConnections(loops: group, child: child, budget: budget, logger: logger)
    }

    /// Adopts one end of a pair of sockets. The other end is the client.
    private func connect(to connections: HTTPConnections, as caller: Caller = .unknown) async throws -> Client {
        let (server, socket) = try Socket.pair()
        let client = try await ClientBootstrap(group: group).withConnectedSocket(socket.descriptor) { channel in
            channel.eventLoop.makeCompletedFuture { try Client(wrappingChannelSynchronously: channel) }
        }
        budget.take()
        connections.adopt(DetachedTransport(server), of: caller, opened: ByteBuffer())
        return client
    }

    /// Runs a test, stops the server, and checks that no socket is left.
    private func serve(_ test: @Sendable (HTTPConnections) async throws -> Void) async throws {
        let connections = connections()
        let serving = Task { await connections.run() }
        let result: Result<Void, any Error>
        do {
            result = .success(try await test(connections))
        } catch {
            result = .failure(error)
        }
        connections.quiesce()
        await serving.value
        // Whatever closes is closed when the loops have ended.
        try await group.shutdownGracefully()
        try result.get()
        #expect(!budget.isSpent)
    }

    /// Reads until the answer's body has come.
    private static func readAnswer(_ input: inout NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator) async throws {
        var text = ""
        while !text.contains("hello"), let bytes = try await input.next() { text += String(buffer: bytes) }
        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
    }

    @Test func `an adopted socket is served, counts until it is closed, and does not outlive the server`()
        async throws
    {
        try await serve { connections in
            let client = try await connect(to: connections)
            try await client.executeThenClose { input, output in
                var input = input.makeAsyncIterator()
                for _ in 0..<2 {
                    try await output.write(Self.get)
                    try await Self.readAnswer(&input)
                }
                #expect(budget.isSpent)
                connections.quiesce()
                let more = try await input.next()
                #expect(more == nil)
            }
        }
    }

    @Test func `a client that leaves gives its place back`() async throws {
        try await serve { connections in
            try await connect(to: connections).executeThenClose { input, output in
                var input = input.makeAsyncIterator()
                try await output.write(Self.get)
                try await Self.readAnswer(&input)
            }
        }
    }

    @Test func `a client that leaves gives its address's place back, too`() async throws {
        let (addresses, network) = (AddressBudget(), try #require(IPAddress("192.0.2.1")))
        try await serve { connections in
            let place = try addresses.take(for: network, limit: 1)
            let caller = Caller(address: PeerAddress(network, port: 1), place: place)
            try await connect(to: connections, as: caller).executeThenClose { input, output in
                var input = input.makeAsyncIterator()
                try await output.write(Self.get)
                try await Self.readAnswer(&input)
                #expect(addresses.count(of: network) == 1)
            }
        }
        #expect(addresses.count(of: network) == 0)
    }

    @Test func `a socket that comes after the end is closed`() async throws {
        try await serve { connections in
            connections.quiesce()
            try await connect(to: connections).executeThenClose { input, _ in
                var input = input.makeAsyncIterator()
                let more = try await input.next()
                #expect(more == nil)
            }
            #expect(!budget.isSpent)
        }
    }
}
