import NIOConcurrencyHelpers
import Synchronization

/// A lock around a value, for critical sections well below a microsecond that threads enter at the same time.
///
/// A thread that finds the lock taken checks again for about as long as such work takes. Sleeping in the kernel and
/// being woken up costs twenty times as much.
struct ContendedValueBox<Value: Sendable>: ~Copyable, Sendable {
    /// How often a thread checks; takes some 200 ns.
    private static var looks: Int { 200 }

    private let box: NIOLockedValueBox<Value>
    /// Only a hint: correctness does not depend on when a thread sees it.
    private let isTaken = Atomic(false)

    init(_ value: Value) {
        box = NIOLockedValueBox(value)
    }

    @inline(__always)
    func withLockedValue<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        if isTaken.load(ordering: .relaxed) { waitForMoment() }
        return try box.withLockedValue { value in
            isTaken.store(true, ordering: .relaxed)
            defer { isTaken.store(false, ordering: .relaxed) }
            return try body(&value)
        }
    }

    @inline(never)
    private func waitForMoment() {
        for _ in 0..<Self.looks where !isTaken.load(ordering: .relaxed) { return }
    }
}
