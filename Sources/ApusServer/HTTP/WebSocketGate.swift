import ApusProtocol
import Foundation
import NIOCore
import NIOHTTP1

/// Who decides which handshakes become WebSocket connections.
struct WebSocketGate: Sendable {
    let workers: Workers
    let keys: APIKeys
    let maxConnections: Int
    let isDraining: DrainFlag
    let isEcho: Bool

    /// What a request that asks for an upgrade gets; `nil` when it asks for something else than a WebSocket of ours.
    func check(_ head: HTTPRequestHead) -> Result<Handshake, Handshake.Refusal>? {
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts.first ?? ""
        guard head.method == .GET, head.version == .http1_1,
            let dialect = isEcho ? .base : Handshake.dialect(ofPath: path)
        else { return nil }
        let query = parts.count > 1 ? parts[1] : ""
        let result = Handshake.check(dialect: dialect, query: query, keys: keys) {
            let values = head.headers[$0]
            return values.isEmpty ? nil : values.joined(separator: ",").trimmingCharacters(in: .whitespaces)
        }
        guard case .success = result else { return result }
        guard !isDraining.isSet else { return .failure(.unavailable("The server is shutting down")) }
        guard workers.open.value + workers.streams.value < maxConnections else {
            return .failure(.unavailable("There are \(maxConnections) connections already, the most allowed"))
        }
        return result
    }

    /// Runs `body` on the loop it is called on, once all WebSockets have been drained.
    func afterDrain(on eventLoop: any EventLoop, _ body: @escaping () -> Void) {
        guard let worker = workers.worker(on: eventLoop) else { return body() }
        worker.afterDrain(body)
    }

    /// The last handler of an upgraded channel.
    func makeConnection(_ handshake: Handshake, on eventLoop: any EventLoop) throws -> WebSocketConnection {
        guard let worker = workers.worker(on: eventLoop) else { throw NegotiationHandler.NotNegotiated() }
        let isEcho = isEcho
        // The server speaks no TLS: nothing stands between the connection and its socket.
        return WebSocketConnection(id: workers.ids.next(), worker: worker, sendsDirectly: true) { connection in
            if isEcho { return EchoSession(connection: connection) }
            return PubSubSession(
                connection: connection,
                dialect: handshake.dialect,
                isAuthorized: handshake.isAuthorized
            )
        }
    }
}
