import ApusSockets
import Synchronization

/// Limits how many sockets clients may hold. At the limit the server waits for a socket to close, so that `accept` does
/// not fail.
final class SocketBudget: Sendable {
    /// How many files the process needs besides its clients' sockets.
    private static let reservedFiles = 64

    let limit: Int
    private let count = Atomic(0)

    init(limit: Int) {
        self.limit = limit
    }

    /// The limit that leaves the process enough files, so that `accept` does not fail for lack of descriptors.
    static var possible: Int {
        OpenFiles.limit.map { max($0 - reservedFiles, 16) } ?? 512
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
