import Synchronization

/// A flag that all threads see.
final class SharedFlag: Sendable {
    private let flag = Atomic(false)

    var isSet: Bool { flag.load(ordering: .acquiring) }

    func set(_ value: Bool = true) {
        flag.store(value, ordering: .releasing)
    }
}
