/// What one subscriber has received from one publisher: the highest sequence, and which of the 64 up to it.
///
/// A message that comes 64 or more behind the highest sequence counts as a duplicate. It then also counts as lost.
struct SequenceTrack {
    /// How a message fits into the order.
    enum Sighting: Equatable {
        /// The next message, or one after a gap.
        case new
        /// A message that was skipped before.
        case late
        /// A duplicate.
        case doubled
    }

    private var highest: UInt64 = 0
    /// Bit `n` is set if `highest - n` was received.
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
