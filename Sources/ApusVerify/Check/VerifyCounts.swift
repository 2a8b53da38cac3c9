/// The findings as numbers, which add up over subscribers.
package struct VerifyCounts: Equatable, Sendable {
    /// Events received for the first time, including late ones.
    package var delivered = 0
    /// Messages that were skipped without notice, or missing at the end.
    package var lost = 0
    /// Messages that were delivered, or stored, more than once.
    package var doubled = 0
    /// Messages that were delivered after a later one.
    package var reordered = 0
    /// Messages that were announced as lost: `messages_dropped`, `recovered: false`.
    package var announced = 0
    /// Messages that were seen at another offset than in the ack or by another subscriber.
    package var misplaced = 0
    /// Messages that differ from what was published.
    package var damaged = 0
    /// Messages that were acked or seen, and are gone afterwards.
    package var vanished = 0
    /// Answers that violate the specification.
    package var faults = 0

    /// What must never happen, whatever was announced.
    package var violations: Int { lost + doubled + reordered + misplaced + damaged + vanished + faults }

    package static func += (left: inout VerifyCounts, right: VerifyCounts) {
        left.combine(right, +=)
    }

    package static func -= (left: inout VerifyCounts, right: VerifyCounts) {
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
        change(&vanished, other.vanished)
        change(&faults, other.faults)
    }
}
