import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket

extension WebSocketConnection {
    /// The result of a handshake.
    private enum Upgrade: Sendable {
        case upgraded(any Channel, WebSocketInbox)
        case refused(EventLoopFuture<RefusalReader.Response>)
    }

    /// Connects to a server's WebSocket endpoint.
    ///
    /// Throws `unreachable` or `timedOut` if there is no connection, `unauthorized` or `refused` with the status and
    /// the server's problem if it refuses the handshake, and `protocolViolation` if it does not speak HTTP and
    /// WebSocket.
    public static func connect(
        to address: ServerAddress,
        configuration: Configuration = Configuration()
    ) async throws(ClientError) -> WebSocketConnection {
        let tls = address.isSecure ? try address.tls.context() : nil
        let token = configuration.token.map { ApusClient.TokenSource.fixed($0) }
        let credential = try await Credential(apiKey: configuration.apiKey, token: token).fields()
        let head = requestHead(address: address, configuration: configuration, credential: credential)
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(configuration.connectTimeout)
        let sized = configuration.receiveBufferBytes.map { bytes in
            bootstrap.channelOption(.socketOption(.so_rcvbuf), value: SocketOptionValue(bytes))
        }
        let deadline = NIODeadline.now() + configuration.connectTimeout
        do {
            let upgrade = try await (sized ?? bootstrap).connect(to: address) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try addTLS(tls, host: address.host, to: channel) }
                    return (channel, try addUpgrade(to: channel, head: head, configuration: configuration))
                }
            }
            return try await finish(upgrade.1, on: upgrade.0, deadline: deadline, address: address)
        } catch {
            throw ClientError.network(error, to: address)
        }
    }

    private static func finish(
        _ handshake: EventLoopFuture<Upgrade>,
        on channel: any Channel,
        deadline: NIODeadline,
        address: ServerAddress
    ) async throws(ClientError) -> WebSocketConnection {
        let late = ClientError(.timedOut, "\(address.authority) does not answer the handshake (timed out)")
        let timer = channel.eventLoop.scheduleTask(deadline: deadline) {
            channel.close(promise: nil)
        }
        defer { timer.cancel() }
        do {
            switch try await handshake.get() {
            case .upgraded(let channel, let inbox):
                return WebSocketConnection(channel: channel, inbox: inbox)
            case .refused(let response):
                let response = try await response.get()
                channel.close(promise: nil)
                throw ClientError.refusal(
                    status: response.status,
                    body: response.body,
                    retryAfter: response.retryAfter
                )
            }
        } catch let error as ClientError {
            throw error
        } catch {
            channel.close(promise: nil)
            if NIODeadline.now() >= deadline { throw late }
            guard isAnswer(error) else { throw ClientError.network(error, to: address) }
            throw ClientError(
                .protocolViolation,
                "\(address.authority) does not answer like a WebSocket server",
                cause: error
            )
        }
    }

    /// Whether the error means that the server sent something invalid. Otherwise it sent nothing or an incomplete
    /// response.
    private static func isAnswer(_ error: any Error) -> Bool {
        switch error {
        case HTTPParserError.invalidEOFState, HTTPParserError.closedConnection: false
        case is HTTPParserError, is NIOHTTPClientUpgradeError, is NIOWebSocketUpgradeError: true
        default: false
        }
    }

    static func addTLS(_ context: NIOSSLContext, host: String, to channel: any Channel) throws {
        // A server name (SNI) must be a name. For an IP address, the certificate is checked against the address.
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        let handler = try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
        try channel.pipeline.syncOperations.addHandler(handler)
    }

    private static func addUpgrade(
        to channel: any Channel,
        head: HTTPRequestHead,
        configuration: Configuration
    ) throws -> EventLoopFuture<Upgrade> {
        let upgrader = NIOTypedWebSocketClientUpgrader<Upgrade>(
            maxFrameSize: configuration.maxMessageBytes,
            enableAutomaticErrorHandling: false
        ) { channel, _ in
            channel.eventLoop.makeCompletedFuture {
                let inbox = WebSocketInbox(
                    messageLimit: configuration.inboxMessages,
                    byteLimit: configuration.inboxBytes
                )
                let handler = WebSocketClientHandler(inbox: inbox, configuration: configuration)
                let bound = NIOLoopBound(handler, eventLoop: channel.eventLoop)
                inbox.onResume {
                    channel.eventLoop.execute { bound.value.resume() }
                }
                try channel.pipeline.syncOperations.addHandler(ByteListener(handler), position: .first)
                try channel.pipeline.syncOperations.addHandler(handler)
                return .upgraded(channel, inbox)
            }
        }
        var pipeline = NIOUpgradableHTTPClientPipelineConfiguration(
            upgradeConfiguration: NIOTypedHTTPClientUpgradeConfiguration(
                upgradeRequestHead: head,
                upgraders: [upgrader],
                notUpgradingCompletionHandler: { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let promise = channel.eventLoop.makePromise(of: RefusalReader.Response.self)
                        try channel.pipeline.syncOperations.addHandler(RefusalReader(promise: promise))
                        return .refused(promise.futureResult)
                    }
                }
            )
        )
        // The server's first frames may arrive in the same segment as its 101 response.
        pipeline.leftOverBytesStrategy = .forwardBytes
        return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(configuration: pipeline)
    }

    private static func requestHead(
        address: ServerAddress,
        configuration: Configuration,
        credential: [(name: String, value: String)]
    ) -> HTTPRequestHead {
        var headers = HTTPHeaders([("Host", address.hostHeader)])
        for header in credential + configuration.headers { headers.add(name: header.name, value: header.value) }
        let path = address.webSocketPath + (configuration.query.map { "?\($0)" } ?? "")
        return HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: headers)
    }
}
