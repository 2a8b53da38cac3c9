import Synchronization

/// How many sockets clients may hold: beyond it none is accepted until one is closed, rather than fail to accept.
final class SocketBudget: Sendable {
    let limit: Int
    private let count = Atomic(0)

    init(limit: Int) {
        self.limit = limit
    }

    var isSpent: Bool { count.load(ordering: .relaxed) >= limit }

    /// A socket was opened.
    func take() {
        count.add(1, ordering: .relaxed)
    }

    /// A socket was closed.
    func release() {
        count.subtract(1, ordering: .relaxed)
    }
}
