import ApusSockets
import Logging
import NIOCore

/// Opens the server's port, and deals its connections out to the loops in turn.
///
/// ```
/// Listener ──► PendingConnection ──► WebSocketConnection, EventStream
///                    └─────────────► HTTPConnections
/// ```
struct Acceptor: Sendable {
    let gate: WebSocketGate
    let streams: StreamGate
    let http: HTTPConnections
    /// Milliseconds in which a client has to say what it wants.
    let handshakeTimeout: Int64
    let logger: Logger

    /// A port that is listened on.
    struct OpenPort: Sendable {
        let address: SocketAddress
        fileprivate let loop: SocketLoop
        fileprivate let listener: NIOLoopBound<Listener>

        func close() async {
            try? await loop.submit { listener.value.stop() }.get()
        }
    }

    /// - Throws: ``SocketError`` when the port cannot be listened on.
    func open(on host: String, port: Int) async throws -> OpenPort {
        let socket = try Socket.listening(on: host, port: port)
        let local = socket.localAddress
        let address = try SocketAddress(ipAddress: local.ipAddress, port: Int(local.port))
        let loop = gate.socketLoops.all[0]
        let listening = loop.makePromise(of: NIOLoopBound<Listener>.self)
        loop.withPoller { poller in
            let listener = Listener(
                socket: socket,
                poller: poller,
                eventLoop: loop,
                budget: gate.workers.sockets,
                logger: logger
            ) { accepted, peer in
                let next = gate.socketLoops.next()
                if next === loop {
                    receive(accepted, from: peer, on: loop, poller)
                } else {
                    next.withPoller { receive(accepted, from: peer, on: next, $0) }
                }
            }
            listening.completeWith(
                Result {
                    try listener.start()
                    return NIOLoopBound(listener, eventLoop: loop)
                }
            )
        }
        return OpenPort(address: address, loop: loop, listener: try await listening.futureResult.get())
    }

    private func receive(_ socket: Socket, from peer: PeerAddress, on loop: SocketLoop, _ poller: Poller) {
        guard let worker = gate.workers.worker(on: loop) else {
            socket.close()
            return gate.workers.sockets.release()
        }
        PendingConnection(
            socket: socket,
            peer: peer,
            poller: poller,
            worker: worker,
            gate: gate,
            streams: streams,
            timeout: handshakeTimeout,
            serveHTTP: http.adopt
        ).start()
    }
}
