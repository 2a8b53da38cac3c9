import ApusSockets
import Logging
import NIOCore

/// Accepts connections at the server's sockets, and distributes them to the loops in turn.
///
/// ```
/// Listener ──► PendingConnection ──► WebSocketConnection, EventStream
///                    └─────────────► HTTPConnections
/// ```
struct Acceptor: Sendable {
    let gate: WebSocketGate
    let streams: StreamGate
    let http: HTTPConnections
    /// How long a client may take to send its first request, in milliseconds.
    let handshakeTimeout: Int64
    let logger: Logger

    /// A socket that accepts connections.
    struct OpenPort: Sendable {
        fileprivate let socket: ListeningSocket
        fileprivate let loop: SocketLoop
        fileprivate let listener: NIOLoopBound<Listener>

        var address: ListenAddress { socket.address }

        func close() async {
            try? await loop.submit {
                listener.value.stop()
                socket.removeFile()
            }.get()
        }
    }

    /// - Throws: ``SocketError`` when the poller cannot watch the socket.
    func open(_ socket: ListeningSocket) async throws -> OpenPort {
        let loop = gate.socketLoops.all[0]
        let listening = loop.makePromise(of: NIOLoopBound<Listener>.self)
        loop.withPoller { poller in
            let listener = Listener(
                socket: socket.socket,
                poller: poller,
                eventLoop: loop,
                budget: gate.contexts.sockets,
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
        return OpenPort(socket: socket, loop: loop, listener: try await listening.futureResult.get())
    }

    private func receive(_ socket: Socket, from peer: PeerAddress, on loop: SocketLoop, _ poller: Poller) {
        guard let context = gate.contexts.context(on: loop) else {
            socket.close()
            return gate.contexts.sockets.release()
        }
        PendingConnection(
            socket: socket,
            peer: peer,
            poller: poller,
            context: context,
            gate: gate,
            streams: streams,
            timeout: handshakeTimeout,
            serveHTTP: http.adopt
        ).start()
    }
}
