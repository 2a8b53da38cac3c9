/// What one subscriber has had of one publisher: the highest sequence, and which of the 64 up to it came.
///
/// One that comes more than 64 messages late is taken for a doubled one, and so counts as that and as lost.
struct SequenceTrack {
    /// What a message was in its order.
    enum Sighting: Equatable {
        /// The next one, or one after a gap.
        case new
        /// One that was passed over before.
        case late
        /// It came before.
        case doubled
    }

    private var highest: UInt64 = 0
    /// Bit `n` is set when `highest - n` came.
    private var seen: UInt64 = 0

    @inline(__always)
    mutating func see(_ sequence: UInt64) -> Sighting {
        if sequence == highest &+ 1 {
            highest = sequence
            seen = seen << 1 | 1
            return .new
        }
        return seeOther(sequence)
    }

    private mutating func seeOther(_ sequence: UInt64) -> Sighting {
        if sequence > highest {
            let distance = sequence - highest
            seen = distance >= 64 ? 1 : seen << distance | 1
            highest = sequence
            return .new
        }
        let distance = highest - sequence
        guard distance < 64, seen & (1 << distance) == 0 else { return .doubled }
        seen |= 1 << distance
        return .late
    }
}
