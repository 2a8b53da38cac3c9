/// The random numbers of a schedule. The same seed and place give the same numbers on every machine.
///
/// Every publisher and subscriber has its own generator, so that one's course of events does not affect another.
struct ScheduleRandom: RandomNumberGenerator {
    private var state: UInt64

    /// Creates a generator. `place` distinguishes the generators of one seed.
    init(seed: UInt64, place: String) {
        state = seed
        for byte in place.utf8 {
            state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
            _ = next()
        }
    }

    /// The SplitMix64 algorithm.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func chance(percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &self) < percent
    }

    mutating func seconds(in range: ClosedRange<Double>) -> Double {
        Double.random(in: range, using: &self)
    }
}
