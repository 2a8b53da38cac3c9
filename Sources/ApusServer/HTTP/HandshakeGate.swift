import ApusSockets
import ApusTLS
import NIOCore
import NIOHTTP1

/// What an HTTP connection asks of the server when it may become a WebSocket, or when the server stops.
protocol HandshakeGate: Sendable {
    /// The gate for one connection.
    func facing(_ connection: Caller) -> any HandshakeGate

    /// The client's address: of a request, or of the connection if the request's head could not be parsed.
    func address(of head: HTTPRequestHead?) -> PeerAddress

    /// Whether a request asks for an upgrade at a WebSocket endpoint.
    func isHandshake(_ head: HTTPRequestHead) -> Bool

    /// The result for a request that asks for an upgrade; `nil` when it does not ask for one of the server's
    /// WebSockets.
    func check(_ head: HTTPRequestHead) -> Result<Handshake, Handshake.Refusal>?

    /// Takes over the socket of a connection that was an HTTP connection until now.
    ///
    /// - Parameter input: the input after the handshake that was already read.
    func adopt(_ transport: DetachedTransport, after handshake: Handshake, input: ByteBuffer)

    /// Counts and logs a handshake that was answered with an error.
    func refused(_ reason: Handshake.Refusal.Reason, _ problem: Problem, address: String)

    /// Runs `body` on the calling loop, once all WebSockets have been drained.
    func afterDrain(on eventLoop: any EventLoop, _ body: @escaping () -> Void)
}
