import Synchronization

/// The servers that a client may connect to, in their order, and the one that all its connections are made to now.
///
/// It moves on when a connection cannot be made there, or when that server goes away, and begins again after the last
/// one. Connections that are open stay where they are.
final class ServerList: Sendable {
    let all: [ServerAddress]
    private let index = Mutex(0)

    /// - Parameter all: at least one.
    init(_ all: [ServerAddress]) {
        precondition(!all.isEmpty, "a client needs a server")
        self.all = all
    }

    var current: ServerAddress { index.withLock { all[$0] } }

    /// Moves on from a server, unless another connection has done so already.
    func moveOn(from server: ServerAddress) {
        index.withLock { index in
            if all[index] == server { index = (index + 1) % all.count }
        }
    }
}
