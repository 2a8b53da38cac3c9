import ApusBroker
import ApusProtocol
import ApusSockets
import ApusTLS
import Logging
import NIOCore
import NIOEmbedded

@testable import ApusServer

/// Sockets that have just been accepted, on a loop without a thread.
///
/// The gates need socket loops, which serve nothing here.
struct PendingRig {
    let owner: EmbeddedLoop
    let gate: WebSocketGate
    let streams: StreamGate

    /// Runs a test, and stops everything.
    static func run(
        _ change: (inout ServerConfiguration) -> Void = { _ in },
        _ test: (PendingRig) throws -> Void
    ) async throws {
        var settings = ServerConfiguration()
        change(&settings)
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let registry = MetricsRegistry()
        let socketLoops = try SocketLoops(count: 1)
        let access = try AccessControl.keys(settings.access.apiKeys)
        let contexts = try await LoopContexts(
            socketLoops: [],
            httpLoops: [],
            settings: settings,
            access: access,
            broker: MemoryBroker(),
            sockets: SocketBudget(limit: 1000),
            logger: logger
        )
        let basePath = BasePath(settings.basePath)
        let addresses = ClientAddresses(settings, registry: registry, logger: logger)
        let gate = WebSocketGate(
            contexts: contexts,
            socketLoops: socketLoops,
            access: access,
            addresses: addresses,
            tls: nil,
            isEcho: false,
            refusals: HandshakeRefusals(registry: registry, logger: logger),
            basePath: basePath
        )
        let streams = StreamGate(
            beside: gate,
            log: RequestLog(logger: logger, metrics: RequestMetrics(registry: registry), basePath: basePath)
        )
        let result = Result { try runOnOneThread(settings, gate, streams, test) }
        try await socketLoops.shutdown()
        try result.get()
    }

    /// An embedded loop must stay on its thread.
    private static func runOnOneThread(
        _ settings: ServerConfiguration,
        _ gate: WebSocketGate,
        _ streams: StreamGate,
        _ test: (PendingRig) throws -> Void
    ) throws {
        let owner = try EmbeddedLoop(settings: settings)
        owner.poller.afterRound = { [context = owner.context] in context.flushReplies() }
        try owner.broker.createTopic(named: "t")
        try test(PendingRig(owner: owner, gate: gate, streams: streams))
        owner.context.abort()
    }

    var addresses: ClientAddresses { gate.addresses }

    /// Accepts a client.
    ///
    /// - Parameter address: where it seems to come from; `unix` for a Unix socket.
    func accept(from address: String? = nil, timeout: Int64 = 10_000) throws -> Client {
        let peer = address.flatMap { IPAddress($0) }.map { PeerAddress($0, port: 4711) }
        return try Client(of: self, peer: address == "unix" ? .unix : peer ?? .unknown, timeout: timeout)
    }

    /// A client, and what became of its connection.
    final class Client {
        private let owner: EmbeddedLoop
        private let socket: Socket
        private var isHungUp = false
        private(set) var pending: PendingConnection?
        /// The socket that HTTP serves, as it was handed over.
        private let served: Served

        /// Holds the socket that was handed over.
        private final class Served {
            var socket: Socket?
            var caller: Caller?

            deinit {
                socket?.close()
            }
        }

        fileprivate init(of rig: PendingRig, peer: PeerAddress, timeout: Int64) throws {
            owner = rig.owner
            let (server, client) = try Socket.pair()
            socket = client
            let served = Served()
            self.served = served
            let connection = PendingConnection(
                socket: server,
                peer: peer,
                poller: owner.poller,
                context: owner.context,
                gate: rig.gate,
                streams: rig.streams,
                timeout: timeout,
                serveHTTP: { transport, caller, _ in (served.socket, served.caller) = (transport.socket, caller) }
            )
            connection.start()
            pending = connection
        }

        deinit {
            hangUp()
        }

        func send(_ text: String) {
            send(bytes: text.utf8)
        }

        func send(bytes: some Sequence<UInt8>) {
            _ = Array(bytes).withUnsafeBytes { socket.send($0) }
            run()
        }

        func finishSending() {
            socket.finishSending()
            run()
        }

        func hangUp() {
            guard !isHungUp else { return }
            isHungUp = true
            socket.close()
            run()
        }

        private func run() {
            owner.poller.poll(timeout: 0)
            owner.eventLoop.run()
        }

        /// What came since the last time; `nil` when the server has closed its side.
        func received() -> String? { Self.read(socket, after: run) }

        /// What HTTP finds in its socket; `nil` when it has none.
        func forHTTP() -> String? { served.socket.flatMap { Self.read($0) {} } }

        /// Whom HTTP serves; `nil` when it has no socket.
        var callerForHTTP: Caller? { served.caller }

        /// HTTP closes its socket.
        func closeHTTP() {
            served.socket?.close()
            (served.socket, served.caller) = (nil, nil)
        }

        private static func read(_ socket: Socket, after run: () -> Void) -> String? {
            run()
            return withUnsafeTemporaryAllocation(byteCount: 1 << 17, alignment: 1) { space in
                switch socket.receive(into: space) {
                case .bytes(0), .failed: nil
                case .bytes(let count): String(decoding: space[..<count], as: UTF8.self)
                case .wouldBlock: ""
                }
            }
        }
    }
}
