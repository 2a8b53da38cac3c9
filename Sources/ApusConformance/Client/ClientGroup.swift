import ApusProtocol
import NIOConcurrencyHelpers
import NIOCore

/// The connections that the client under test has at the same time: one, or several if it publishes on another one than
/// it subscribes on. To the script they are one.
final class ClientGroup: Sendable {
    /// What came, and on which connection.
    struct Arrival: Sendable {
        let frame: ClientFrame
        let connection: ClientConnection
    }

    private struct State {
        var connections: [ClientConnection] = []
        var isOver = false
    }

    /// When the first handshake came.
    let came: NIODeadline
    private let frames = Mailbox<Arrival>(limit: ClientScript.maxFrames)
    private let state = NIOLockedValueBox(State())

    init(came: NIODeadline) {
        self.came = came
    }

    /// Returns `false` if there are too many, or the script is through with the group.
    func add(_ connection: ClientConnection) -> Bool {
        state.withLockedValue { state in
            guard !state.isOver, state.connections.count < ClientScript.maxConnections else { return false }
            state.connections.append(connection)
            return true
        }
    }

    /// A connection has ended. After the last one nothing comes any more.
    func remove(_ connection: ClientConnection) {
        let isEmpty = state.withLockedValue { state in
            state.connections.removeAll { $0 == connection }
            return state.connections.isEmpty
        }
        if isEmpty { frames.finish() }
    }

    /// Returns whether there was room.
    func push(_ frame: ClientFrame, on connection: ClientConnection) -> Bool {
        frames.push(Arrival(frame: frame, connection: connection))
    }

    func next(within limit: TimeAmount, on loop: any EventLoop) async -> Arrival? {
        await frames.next(within: limit, on: loop)
    }

    /// Takes no more connections. Whoever comes from now on has come back.
    ///
    /// - Returns: those that are open.
    @discardableResult
    func end() -> [ClientConnection] {
        state.withLockedValue { state in
            state.isOver = true
            return state.connections
        }
    }

    func send(_ members: String) {
        for connection in state.withLockedValue({ $0.connections }) { connection.send(members) }
    }

    /// Ends TCP without a close frame.
    func cut() {
        for connection in end() { connection.cut() }
    }
}
