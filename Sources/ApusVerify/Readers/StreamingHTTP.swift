import ApusClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// An HTTP/1.1 connection whose socket can be closed at any moment, even in the middle of a response.
///
/// For one task only. Unread data stays in the socket, because the channel reads only a few parts ahead.
struct StreamingHTTP {
    typealias Channel = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

    /// How long connecting may take, and how long the head of a response may take in addition to the requested wait.
    private static let timeout = TimeAmount.seconds(10)
    /// The last that was made: with the system's authorities it takes long.
    private static let tls = Mutex<(ClientTLS, NIOSSLContext)?>(nil)

    private let address: ServerAddress
    private let credential: Credential
    private let channel: any NIOCore.Channel
    private let outbound: NIOAsyncChannelOutboundWriter<HTTPClientRequestPart>
    private var inbound: NIOAsyncChannelInboundStream<HTTPClientResponsePart>.AsyncIterator

    /// Connects and runs `body`. Closes the socket afterwards, or after `life` seconds.
    static func withConnection(
        to address: ServerAddress,
        credential: Credential,
        plan: SessionPlan?,
        body: (inout StreamingHTTP) async throws -> Void
    ) async throws {
        let channel = try await connect(to: address, receiveBuffer: plan?.receiveBufferBytes)
        let end = plan?.socketLife.map { life in
            channel.channel.eventLoop.scheduleTask(in: .nanoseconds(Int64(life * 1e9))) {
                channel.channel.close(promise: nil)
            }
        }
        defer { end?.cancel() }
        do {
            try await channel.executeThenClose { inbound, outbound in
                var connection = StreamingHTTP(
                    address: address,
                    credential: credential,
                    channel: channel.channel,
                    outbound: outbound,
                    inbound: inbound.makeAsyncIterator()
                )
                try await body(&connection)
            }
        } catch {
            guard isBrokenSocket(error) else { throw error }
        }
    }

    /// Whether the error only means that the socket was closed, possibly in the middle of a response.
    private static func isBrokenSocket(_ error: any Error) -> Bool {
        error is IOError || error is ChannelError || (error as? HTTPParserError) == .invalidEOFState
    }

    private static func connect(to address: ServerAddress, receiveBuffer: Int?) async throws -> Channel {
        let context = address.isSecure ? try tlsContext(address.tls) : nil
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(timeout)
        let sized = receiveBuffer.map { bootstrap.channelOption(.socketOption(.so_rcvbuf), value: .init($0)) }
        do {
            return try await (sized ?? bootstrap).connect(to: address) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        let isAddress = (try? SocketAddress(ipAddress: address.host, port: 0)) != nil
                        let handler = try NIOSSLClientHandler(
                            context: context,
                            serverHostname: isAddress ? nil : address.host
                        )
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    return try Channel(wrappingChannelSynchronously: channel)
                }
            }
        } catch {
            throw ClientError(.unreachable, "cannot reach \(address.authority)", cause: error)
        }
    }

    private static func tlsContext(_ options: ClientTLS) throws -> NIOSSLContext {
        try tls.withLock { known in
            if let known, known.0 == options { return known.1 }
            let context = try options.context()
            known = (options, context)
            return context
        }
    }

    // MARK: Requests

    /// Sends a GET request for a path of the address's dialect.
    func get(_ path: String, headers: [(String, String)] = []) async throws {
        var fields = HTTPHeaders([("Host", address.hostHeader)])
        for field in try await credential.fields() { fields.add(name: field.name, value: field.value) }
        fields.add(contentsOf: headers)
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: address.pathPrefix + path, headers: fields)
        try await outbound.write(contentsOf: [.head(head), .end(nil)])
    }

    /// The head of the response; `nil` if the connection ended before.
    ///
    /// Closes the connection if the head does not arrive within `wait` seconds plus a timeout.
    mutating func head(wait: Double = 0) async throws -> HTTPResponseHead? {
        let channel = channel
        let late = channel.eventLoop.scheduleTask(in: Self.timeout + .nanoseconds(Int64(wait * 1e9))) {
            channel.close(promise: nil)
        }
        defer { late.cancel() }
        while let part = try await inbound.next() {
            if case .head(let head) = part { return head }
        }
        return nil
    }

    /// The next piece of the body; `nil` at its end, or if the connection ended.
    mutating func body() async throws -> ByteBuffer? {
        guard let part = try await inbound.next(), case .body(let bytes) = part else { return nil }
        return bytes
    }

    /// The whole body; `nil` if the connection ended before its end, or if the body exceeds `limit` bytes.
    mutating func wholeBody(limit: Int) async throws -> ByteBuffer? {
        var whole = ByteBuffer()
        while let part = try await inbound.next() {
            switch part {
            case .body(var bytes):
                whole.writeBuffer(&bytes)
                if whole.readableBytes > limit { return nil }
            case .end: return whole
            case .head: break
            }
        }
        return nil
    }
}
