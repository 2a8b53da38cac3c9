import NIOConcurrencyHelpers
import Synchronization

/// A lock around a value, for work of well under a microsecond, by threads that run at the same time.
///
/// A thread that finds it taken looks again for as long as such work takes. To be put to sleep by the kernel, and
/// woken, costs twenty times as much.
struct ContendedValueBox<Value: Sendable>: ~Copyable, Sendable {
    /// How often it is looked at: some 200 ns.
    private static var looks: Int { 200 }

    private let box: NIOLockedValueBox<Value>
    /// Only a hint, so that nothing depends on who sees it when.
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
