/// The dice of a schedule: the same seed and place throw the same on every machine.
///
/// Every publisher and subscriber has its own, so that what one meets on the way changes nothing for another.
struct ScheduleRandom: RandomNumberGenerator {
    private var state: UInt64

    /// `place` tells the dice of one seed apart.
    init(seed: UInt64, place: String) {
        state = seed
        for byte in place.utf8 {
            state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
            _ = next()
        }
    }

    /// SplitMix64.
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
