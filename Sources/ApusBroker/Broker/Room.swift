import DequeModule

// Collections keep the memory of the most that they ever held, until they are told otherwise.

/// Room for fewer elements is not worth the copying, nor is what less than this part of it takes.
private let (leastRoom, leastPart) = (64, 4)

extension Dictionary {
    /// Moves to memory of the right size when there is room for many times as many.
    package mutating func releaseRoom() {
        guard capacity > leastRoom, capacity / leastPart > count else { return }
        self = Dictionary(uniqueKeysWithValues: lazy.map { ($0.key, $0.value) })
    }
}

extension Array {
    /// Moves to memory of the right size when there is room for many times as many.
    package mutating func releaseRoom() {
        guard capacity > leastRoom, capacity / leastPart > count else { return }
        var moved = Self()
        moved.reserveCapacity(count)
        moved.append(contentsOf: self)
        self = moved
    }
}

extension ContiguousArray {
    /// Moves to memory of the right size when there is room for many times as many.
    package mutating func releaseRoom() {
        guard capacity > leastRoom, capacity / leastPart > count else { return }
        var moved = Self()
        moved.reserveCapacity(count)
        moved.append(contentsOf: self)
        self = moved
    }
}
