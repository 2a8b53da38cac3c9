import DequeModule

// Collections keep the capacity for the most elements that they ever held, until they are told to release it.

/// Capacity up to `leastRoom` is not worth releasing.
///
/// Nor is the capacity of a collection that fills 1/`leastPart` of it or more.
private let (leastRoom, leastPart) = (64, 4)

extension Dictionary {
    /// Reallocates to the right size if the capacity is many times the count.
    package mutating func releaseRoom() {
        guard capacity > leastRoom, capacity / leastPart > count else { return }
        self = Dictionary(uniqueKeysWithValues: lazy.map { ($0.key, $0.value) })
    }
}

extension Array {
    /// Reallocates to the right size if the capacity is many times the count.
    package mutating func releaseRoom() {
        guard capacity > leastRoom, capacity / leastPart > count else { return }
        var moved = Self()
        moved.reserveCapacity(count)
        moved.append(contentsOf: self)
        self = moved
    }
}

extension ContiguousArray {
    /// Reallocates to the right size if the capacity is many times the count.
    package mutating func releaseRoom() {
        guard capacity > leastRoom, capacity / leastPart > count else { return }
        var moved = Self()
        moved.reserveCapacity(count)
        moved.append(contentsOf: self)
        self = moved
    }
}
