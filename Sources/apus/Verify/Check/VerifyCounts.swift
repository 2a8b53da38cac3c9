/// What was found, in numbers; adds up over subscribers.
struct VerifyCounts: Equatable, Sendable {
    /// Events taken for the first time, late ones included.
    var delivered = 0
    /// Passed over without a word, or not there at the end.
    var lost = 0
    /// Handed over, or stored, more than once.
    var doubled = 0
    /// Handed over after a later one.
    var reordered = 0
    /// Said to be lost: `messages_dropped`, `recovered: false`.
    var announced = 0
    /// Seen at another offset than the ack or another subscriber had it.
    var misplaced = 0
    /// Not what was published.
    var damaged = 0
    /// Answers that are not what the specification says.
    var faults = 0

    /// What must never happen, whatever was announced.
    var violations: Int { lost + doubled + reordered + misplaced + damaged + faults }

    static func += (left: inout VerifyCounts, right: VerifyCounts) {
        left.combine(right, +=)
    }

    static func -= (left: inout VerifyCounts, right: VerifyCounts) {
        left.combine(right, -=)
    }

    private mutating func combine(_ other: VerifyCounts, _ change: (inout Int, Int) -> Void) {
        change(&delivered, other.delivered)
        change(&lost, other.lost)
        change(&doubled, other.doubled)
        change(&reordered, other.reordered)
        change(&announced, other.announced)
        change(&misplaced, other.misplaced)
        change(&damaged, other.damaged)
        change(&faults, other.faults)
    }
}
