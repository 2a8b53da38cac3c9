import ApusProtocol

/// The random numbers of a schedule. The same seed and place give the same numbers on every machine.
///
/// Every publisher and subscriber has its own generator, so that one's course of events does not affect another.
struct ScheduleRandom: RandomNumberGenerator {
    private var random: SplitMix64

    /// Creates a generator. `place` distinguishes the generators of one seed.
    init(seed: UInt64, place: String) {
        random = SplitMix64(seed: seed)
        for byte in place.utf8 {
            random.seed = (random.seed ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
            _ = next()
        }
    }

    mutating func next() -> UInt64 { random.next() }

    mutating func chance(percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &self) < percent
    }

    mutating func seconds(in range: ClosedRange<Double>) -> Double {
        Double.random(in: range, using: &self)
    }
}
