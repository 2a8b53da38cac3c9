import Synchronization

/// Ids of spans: all different, from a random one on. They are no secret, so the kernel is not asked for each.
final class SpanIDs: Sendable {
    /// Odd, so that the state takes all values before one comes again.
    private static let step: UInt64 = 0x9E37_79B9_7F4A_7C15

    private let state = Atomic(UInt64.random(in: .min ... .max))

    /// - Returns: not 0.
    func next() -> UInt64 {
        while true {
            let id = Self.mix(state.wrappingAdd(Self.step, ordering: .relaxed).newValue)
            if id != 0 { return id }
        }
    }

    /// Makes neighbours look unlike. No two numbers have the same result, as each step can be undone.
    private static func mix(_ number: UInt64) -> UInt64 {
        var number = number
        number = (number ^ number >> 30) &* 0xBF58_476D_1CE4_E5B9
        number = (number ^ number >> 27) &* 0x94D0_49BB_1331_11EB
        return number ^ number >> 31
    }
}
