import ApusProtocol
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOWebSocket

/// A server's child channel: HTTP/1.1 for Hummingbird's router until a WebSocket is asked for, and then nothing but a
/// ``WebSocketConnection``, without a task or an async stream of its own.
struct ApusChannel: ServerChildChannel, HTTPChannelHandler {
    enum Negotiated: Sendable {
        case http(NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>)
        case webSocket
    }

    struct Value: ServerChildChannelValue {
        let channel: any Channel
        let negotiated: EventLoopFuture<Negotiated>
    }

    let responder: HTTPChannelHandler.Responder
    let upgrader: WebSocketUpgrader
    let handshakeTimeout: TimeAmount
    let idleTimeout: TimeAmount?
    let logger: Logger

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            var configuration = NIOUpgradableHTTPServerPipelineConfiguration(
                upgradeConfiguration: NIOTypedHTTPServerUpgradeConfiguration(
                    upgraders: [upgrader],
                    notUpgradingCompletionHandler: { channel in
                        channel.eventLoop.makeCompletedFuture { try self.configureHTTP(channel) }
                    }
                )
            )
            // Requests are worked off one after the other anyway, and http-types has checked the response's headers.
            configuration.enablePipelining = false
            configuration.enableResponseHeaderValidation = false
            let negotiated = try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
                configuration: configuration)
            let deadline = channel.eventLoop.scheduleTask(in: handshakeTimeout) {
                channel.close(promise: nil)
            }
            negotiated.whenComplete { _ in deadline.cancel() }
            return Value(channel: channel, negotiated: negotiated)
        }
    }

    private func configureHTTP(_ channel: any Channel) throws -> Negotiated {
        try channel.pipeline.syncOperations.addHandler(HTTP1ToHTTPServerCodec(secure: false))
        let idle = idleTimeout.map { Duration.nanoseconds($0.nanoseconds) }
        try channel.pipeline.syncOperations.addHandler(HTTPConnectionStateHandler(idleTimeout: idle, logger: logger))
        return .http(
            try NIOAsyncChannel(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true)))
    }

    func handle(value: Value, logger: Logger) async {
        do {
            switch try await value.negotiated.get() {
            case .http(let channel): await handleHTTP(asyncChannel: channel, logger: logger)
            case .webSocket: break
            }
        } catch {
            logger.debug("no request came", metadata: ["error": "\(error)"])
            value.channel.close(promise: nil)
        }
    }
}

/// Upgrades a request that asks for a WebSocket at one of its endpoints, and leaves every other to the router, which
/// tells what was wrong with it.
final class WebSocketUpgrader: NIOTypedHTTPServerProtocolUpgrader, Sendable {
    typealias UpgradeResult = ApusChannel.Negotiated

    let supportedProtocol = "websocket"
    let requiredUpgradeHeaders: [String] = []
    private let isEcho: Bool
    private let keys: APIKeys
    private let workers: Workers
    private let maxConnections: Int
    private let answer: NIOTypedWebSocketServerUpgrader<UpgradeResult>

    init(workers: Workers, keys: APIKeys, maxConnections: Int, isEcho: Bool) {
        self.workers = workers
        self.keys = keys
        self.maxConnections = maxConnections
        self.isEcho = isEcho
        // NIO's own upgrader makes the answer's headers; its frame codec is not used.
        answer = NIOTypedWebSocketServerUpgrader(
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture([:]) },
            upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededFuture(.webSocket) })
    }

    private func handshake(_ head: HTTPRequestHead) -> Result<Handshake, Handshake.Refusal> {
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts.first ?? ""
        guard head.method == .GET, let dialect = isEcho ? .base : Handshake.dialect(ofPath: path) else {
            return .failure(.notUpgrading)
        }
        let query = parts.count > 1 ? parts[1] : ""
        return check(dialect: dialect, query: query) { head.headers.first(name: $0) }
    }

    /// Also asked by the router, for the answer to a refused handshake.
    func check(
        dialect: Dialect, query: Substring, header: (String) -> String?
    ) -> Result<Handshake, Handshake.Refusal> {
        let result = Handshake.check(dialect: dialect, query: query, keys: keys, header: header)
        guard case .success = result, workers.open.value >= maxConnections else { return result }
        return .failure(.unavailable("There are \(maxConnections) connections already, the most allowed"))
    }

    func buildUpgradeResponse(
        channel: any Channel, upgradeRequest: HTTPRequestHead, initialResponseHeaders: HTTPHeaders
    ) -> EventLoopFuture<HTTPHeaders> {
        switch handshake(upgradeRequest) {
        case .success:
            answer.buildUpgradeResponse(
                channel: channel, upgradeRequest: upgradeRequest, initialResponseHeaders: initialResponseHeaders)
        case .failure(let refusal):
            channel.eventLoop.makeFailedFuture(refusal)
        }
    }

    func upgrade(channel: any Channel, upgradeRequest: HTTPRequestHead) -> EventLoopFuture<UpgradeResult> {
        channel.eventLoop.makeCompletedFuture {
            let handshake = try handshake(upgradeRequest).get()
            guard let worker = workers.worker(on: channel.eventLoop) else {
                throw Handshake.Refusal.unavailable("The server is starting")
            }
            let isEcho = isEcho
            let connection = WebSocketConnection(id: workers.ids.next(), worker: worker) { connection in
                if isEcho { return EchoSession(connection: connection) }
                return PubSubSession(
                    connection: connection, dialect: handshake.dialect, isAuthorized: handshake.isAuthorized)
            }
            try channel.pipeline.syncOperations.addHandler(connection)
            return .webSocket
        }
    }
}
