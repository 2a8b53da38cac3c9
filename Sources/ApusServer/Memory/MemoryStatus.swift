import Synchronization

/// What the rest of the server knows of its memory limit.
final class MemoryStatus: Sendable {
    /// Set while new work is refused.
    let isFull = SharedFlag()
    private let limitInBytes = Atomic(0)
    private let cutConnections = Atomic(0)

    /// In bytes; 0 if there is none.
    var limit: Int { limitInBytes.load(ordering: .relaxed) }
    /// How many connections were closed to free memory.
    var cuts: Int { cutConnections.load(ordering: .relaxed) }

    func setLimit(_ bytes: Int) {
        limitInBytes.store(bytes, ordering: .relaxed)
    }

    func countCuts(_ count: Int) {
        cutConnections.add(count, ordering: .relaxed)
    }
}
