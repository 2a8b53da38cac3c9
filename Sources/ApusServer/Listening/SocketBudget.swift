import Synchronization

/// Limits how many sockets clients may hold. At the limit the server waits for a socket to close, so that `accept` does
/// not fail.
final class SocketBudget: Sendable {
    let limit: Int
    private let count = Atomic(0)

    init(limit: Int) {
        self.limit = limit
    }

    var isSpent: Bool { count.load(ordering: .relaxed) >= limit }

    /// Counts an opened socket.
    func take() {
        count.add(1, ordering: .relaxed)
    }

    /// Counts a closed socket.
    func release() {
        count.subtract(1, ordering: .relaxed)
    }
}
