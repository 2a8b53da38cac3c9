import ApusProtocol
import ApusSockets
import ApusTLS
import Foundation
import NIOCore
import NIOHTTP1

/// Decides which handshakes become WebSocket connections.
struct WebSocketGate: HandshakeGate {
    let contexts: LoopContexts
    let socketLoops: SocketLoops
    let access: AccessControl
    let addresses: ClientAddresses
    /// `nil` where the server does not speak TLS itself.
    let tls: TLSInForce?
    let isEcho: Bool
    let refusals: HandshakeRefusals
    let basePath: BasePath
    /// The connection that it serves, where it serves only one.
    private(set) var connection = Caller.unknown

    func facing(_ connection: Caller) -> any HandshakeGate {
        var gate = self
        gate.connection = connection
        return gate
    }

    func address(of head: HTTPRequestHead?) -> PeerAddress {
        addresses.caller(of: connection, forwardedFor: head.flatMap { Self.list(ForwardedFor.name, $0) }).address
    }

    /// All values of a field as one list.
    private static func list(_ name: String, _ head: HTTPRequestHead) -> String? {
        let values = head.headers[name]
        return values.isEmpty ? nil : values.joined(separator: ",").trimmingCharacters(in: .whitespaces)
    }

    func isHandshake(_ head: HTTPRequestHead) -> Bool {
        guard head.headers.contains(name: "upgrade") else { return false }
        return dialect(ofPath: head.uri.prefix { $0 != "?" }) != nil
    }

    /// The dialect of a path; `nil` when the path is not a WebSocket endpoint.
    private func dialect(ofPath path: Substring) -> Dialect? {
        guard let match = basePath.endpoint(at: path), match.endpoint.kind == .webSocket else { return nil }
        return match.dialect
    }

    func check(_ head: HTTPRequestHead) -> Result<Handshake, Handshake.Refusal>? {
        guard head.method == .GET, head.version == .http1_1 else { return nil }
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        return check(path: parts.first ?? "", query: parts.count > 1 ? parts[1] : "", from: connection) {
            Self.list($0, head)
        }
    }

    /// The same for a request that came first on its connection. Also returns `nil` for a request that needs a closer
    /// look.
    func check(_ head: RequestHead, from connection: Caller) -> Result<Handshake, Handshake.Refusal>? {
        for name in ["content-length", "transfer-encoding", "expect"] where head.headers[name] != nil { return nil }
        return check(path: head.path, query: head.query, from: connection) { head.headers[$0] }
    }

    private func check(
        path: Substring,
        query: Substring,
        from connection: Caller,
        header: (String) -> String?
    ) -> Result<Handshake, Handshake.Refusal>? {
        guard let dialect = isEcho ? .base : dialect(ofPath: path) else { return nil }
        var caller = addresses.caller(of: connection, forwardedFor: header(ForwardedFor.name))
        do throws(AddressBudget.Exceeded) {
            try addresses.admit(&caller)
        } catch {
            return .failure(.tooManyOfAddress(error))
        }
        do throws(SitePolicy.Refusal) {
            try contexts.inForce.sites.check(
                host: header("host") ?? "",
                origin: header("origin"),
                isReading: false,
                isLocalSocket: connection.isOnUnixSocket
            )
        } catch {
            return .failure(.foreign(error))
        }
        let result = Handshake.check(
            dialect: dialect,
            query: query,
            access: access,
            compresses: contexts.settings.compression.isOn,
            certificateName: connection.commonName,
            header: header
        )
        guard case .success(var handshake) = result else { return result }
        guard !contexts.isDraining.isSet else { return .failure(.draining) }
        let maxConnections = contexts.settings.limits.maxConnections
        guard contexts.open.value + contexts.streams.value < maxConnections else {
            return .failure(.tooMany(maxConnections))
        }
        handshake.caller = caller
        return .success(handshake)
    }

    /// Whether these first bytes of a request may become a handshake.
    func mayBeHandshake(_ start: UnsafeRawBufferPointer) -> Bool {
        let paths = Endpoint.all.filter { $0.kind == .webSocket }.flatMap(\.paths).map { basePath.text + $0.path }
        return (isEcho ? ["/"] : paths).contains { zip(start, "GET \($0)".utf8).allSatisfy(==) }
    }

    func refused(_ reason: Handshake.Refusal.Reason, _ problem: Problem, address: String) {
        refusals.note(reason, problem, address: address)
        if reason == .connectionsPerAddress { addresses.refusals.count(.connectionsPerAddress) }
    }

    func afterDrain(on eventLoop: any EventLoop, _ body: @escaping () -> Void) {
        guard let context = contexts.context(on: eventLoop) else { return body() }
        context.afterDrain(body)
    }

    /// Creates the connection for a handshake, with its session. The connection is not started yet.
    func makeConnection(
        _ handshake: Handshake,
        transport: Transport,
        on context: LoopContext,
        poller: Poller
    ) -> WebSocketConnection {
        let connection = WebSocketConnection(
            id: contexts.ids.next(),
            context: context,
            transport: transport,
            caller: handshake.caller,
            poller: poller,
            window: handshake.deflate?.window
        )
        connection.session =
            isEcho
            ? EchoSession(connection: connection)
            : PubSubSession(connection: connection, dialect: handshake.dialect, identity: handshake.identity)
        return connection
    }

    func adopt(_ transport: DetachedTransport, after handshake: Handshake, input: ByteBuffer) {
        contexts.sockets.take()
        let loop = socketLoops.next()
        loop.withPoller { poller in
            guard let context = contexts.context(on: loop) else {
                transport.close()
                return contexts.sockets.release()
            }
            let attached = transport.attached(context.tls.buffers)
            let connection = makeConnection(handshake, transport: attached, on: context, poller: poller)
            connection.start(nil)
            connection.closeIfMemoryIsFull()
            var input = input
            input.withUnsafeMutableReadableBytes { connection.received($0) }
            // The socket may have been on its way here when the other connections were told of the shutdown.
            if context.mayClose { connection.closeIfDrained() }
        }
    }
}
