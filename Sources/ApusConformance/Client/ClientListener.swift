import ApusProtocol
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

/// The server that the client under test connects to. It does as the script says.
struct ClientListener: Sendable {
    /// What becomes of the handshakes that come.
    struct Gate {
        /// So many are answered 503.
        var refusals = 0
        /// When those came that were refused.
        var refused: [NIODeadline] = []
        /// The connections that the client has now.
        var group: ClientGroup?
    }

    let channel: any Channel
    /// Clients that have come, or have come back.
    let arrivals: Mailbox<ClientGroup>
    let gate: NIOLockedValueBox<Gate>

    var port: Int { channel.localAddress?.port ?? 0 }

    static func listen(host: String, port: Int) async throws -> ClientListener {
        let arrivals = Mailbox<ClientGroup>(limit: ClientScript.maxConnections)
        let gate = NIOLockedValueBox(Gate())
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try Self.addHandshake(to: channel, arrivals, gate)
                }
            }
            .bind(host: host, port: port).get()
        return ClientListener(channel: channel, arrivals: arrivals, gate: gate)
    }

    /// The first connection of a client that comes, and those that it makes besides.
    func client(within limit: TimeAmount) async -> ClientGroup? {
        await arrivals.next(within: limit, on: channel.eventLoop)
    }

    /// The next thing that comes on any connection of the client.
    func next(of group: ClientGroup, within limit: TimeAmount) async -> ClientGroup.Arrival? {
        await group.next(within: limit, on: channel.eventLoop)
    }

    private static func addHandshake(
        to channel: any Channel,
        _ arrivals: Mailbox<ClientGroup>,
        _ gate: NIOLockedValueBox<Gate>
    ) throws {
        let upgrader = NIOWebSocketServerUpgrader(
            maxFrameSize: ClientScript.maxMessage,
            shouldUpgrade: { channel, head in
                let isKnown = Self.dialect(of: head) != nil && Self.admits(gate)
                let offers = head.headers[canonicalForm: "sec-websocket-protocol"].contains("apus")
                let answer: HTTPHeaders? = isKnown ? (offers ? ["Sec-WebSocket-Protocol": "apus"] : [:]) : nil
                return channel.eventLoop.makeSucceededFuture(answer)
            },
            upgradePipelineHandler: { channel, head in
                channel.eventLoop.makeCompletedFuture {
                    let connection = ClientConnection(channel: channel, dialect: Self.dialect(of: head) ?? .base)
                    guard let group = Self.join(connection, arrivals, gate) else {
                        return channel.close(promise: nil)
                    }
                    try channel.pipeline.syncOperations.addHandler(ClientFrameHandler(connection, in: group))
                }
            }
        )
        // Handlers are of one event loop, on which all of this runs.
        let refusal = NIOLoopBound(RefusalHandler(), eventLoop: channel.eventLoop)
        try channel.pipeline.syncOperations.configureHTTPServerPipeline(
            withServerUpgrade: (
                upgraders: [upgrader],
                completionHandler: { context in
                    context.pipeline.syncOperations.removeHandler(refusal.value, promise: nil)
                }
            )
        )
        try channel.pipeline.syncOperations.addHandler(refusal.value)
    }

    /// The group of a new connection, which it may have begun; `nil` if there is no room for it.
    private static func join(
        _ connection: ClientConnection,
        _ arrivals: Mailbox<ClientGroup>,
        _ gate: NIOLockedValueBox<Gate>
    ) -> ClientGroup? {
        gate.withLockedValue { gate in
            if let group = gate.group, group.add(connection) { return group }
            let group = ClientGroup(came: .now())
            guard group.add(connection), arrivals.push(group) else { return nil }
            gate.group = group
            return group
        }
    }

    private static func dialect(of head: HTTPRequestHead) -> Dialect? {
        switch head.uri.prefix(while: { $0 != "?" }) {
        case "/ws": .base
        case "/v1/ws": .v1
        default: nil
        }
    }

    private static func admits(_ gate: NIOLockedValueBox<Gate>) -> Bool {
        gate.withLockedValue { gate in
            guard gate.refusals > 0 else { return true }
            gate.refusals -= 1
            gate.refused.append(.now())
            return false
        }
    }
}

/// Answers what is no handshake, or is refused: 503, come back in a second.
private final class RefusalHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .end = unwrapInboundIn(data) else { return }
        let headers: HTTPHeaders = ["Retry-After": "1", "Content-Length": "0", "Connection": "close"]
        let head = HTTPResponseHead(version: .http1_1, status: .serviceUnavailable, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
    }
}
