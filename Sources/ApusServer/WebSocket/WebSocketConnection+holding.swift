import ApusBroker
import ApusProtocol
import NIOCore

// Replies that wait for publishes to be kept, and the input that waits for these replies.

extension WebSocketConnection {
    /// What the next messages of a connection wait for.
    struct Pauses: OptionSet {
        let rawValue: UInt8

        /// Until fewer replies are held.
        static let untilRoom = Pauses(rawValue: 1)
        /// Until no reply is held: the next command must not overtake them.
        static let untilKept = Pauses(rawValue: 2)
        /// Until the loop has looked at its other sockets, see ``RoundBudget``.
        static let untilRound = Pauses(rawValue: 4)
    }

    /// Holds the acks in the loop's replies until the commit is kept, and all replies after them.
    ///
    /// - Parameters:
    ///   - start: where the acks begin in the loop's replies.
    ///   - count: the number of acks.
    ///   - again: writes an ack with offsets that may have moved, once the commit is kept.
    func hold(for commit: Commit, acks count: Int, again: HeldReplies.Rewrite? = nil) {
        guard phase == .open else { return }
        let held = self.held ?? HeldReplies()
        held.append(context.takeReplies(), commit, acks: count, again: again)
        self.held = held
        if held.isFull { pauses.insert(.untilRoom) }
    }

    /// Sends what no longer has to wait, and goes on reading.
    ///
    /// - Parameter refuse: writes the error for a publish that could not be kept, in place of its ack.
    func releaseHeld(refuse: (CommitFailure, UnsafeRawBufferPointer?, inout ByteBuffer) -> Void) {
        guard let held, phase == .open else { return }
        let ready = held.takeReady(refuse: refuse)
        if held.isEmpty { self.held = nil }
        if ready.readableBytes > 0 { writeControl(ready) }
        let over: Pauses = held.isEmpty ? [.untilRoom, .untilKept] : held.isFull ? [] : .untilRoom
        if !pauses.isDisjoint(with: over) { end(over) }
        flush()
    }

    /// Processes no further message until the loop has looked at its other sockets.
    func waitForRound() {
        guard pauses.insert(.untilRound).inserted else { return }
        context.readLater(self)
    }

    /// Goes on with the input that has waited for that.
    func continueAfterRound() {
        guard pauses.remove(.untilRound) != nil else { return }
        if postponed != nil {
            continueReading()
        } else {
            context.beginBurst()
            consumePartial()
            sendReplies()
            flush()
            releaseRead()
        }
        holdRead()
        if context.mayClose { closeIfDrained() }
    }

    /// Goes on with the input that has waited.
    private func end(_ over: Pauses) {
        let wasOrdered = pauses.contains(.untilKept)
        pauses.subtract(over)
        // A message that was postponed for another reason comes when that is over.
        if postponed == nil {
            context.beginBurst()
            consumePartial()
            sendReplies()
        } else if wasOrdered {
            continueReading()
        }
        releaseRead()
    }
}
