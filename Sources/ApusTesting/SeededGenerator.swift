import ApusProtocol

/// The random numbers of a test: the seed of a failure reproduces it.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var random: SplitMix64

    package init(seed: UInt64) {
        random = SplitMix64(seed: seed)
    }

    package mutating func next() -> UInt64 { random.next() }

    /// Returns `true` with a probability of `percent` percent.
    package mutating func chance(_ percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &self) < percent
    }
}
