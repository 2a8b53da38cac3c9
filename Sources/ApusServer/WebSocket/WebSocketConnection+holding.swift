import ApusBroker
import ApusProtocol
import NIOCore

// Replies that wait for publishes to be kept, and the input that waits for these replies.

extension WebSocketConnection {
    /// What the input of a connection waits for.
    enum Pause {
        case none
        /// Until fewer replies are held.
        case untilRoom
        /// Until no reply is held: the next command must not overtake them.
        case untilKept
    }

    /// Holds the acks in the loop's replies until the commit is kept, and all replies after them.
    ///
    /// - Parameters:
    ///   - start: where the acks begin in the loop's replies.
    ///   - count: the number of acks.
    func hold(for commit: Commit, acks count: Int) {
        guard phase == .open else { return }
        let held = self.held ?? HeldReplies()
        held.append(context.takeReplies(), commit, acks: count)
        self.held = held
        if held.isFull { pause = .untilRoom }
    }

    /// Sends what no longer has to wait, and goes on reading.
    ///
    /// - Parameter refuse: writes the error for a publish that could not be kept, in place of its ack.
    func releaseHeld(refuse: (CommitFailure, UnsafeRawBufferPointer?, inout ByteBuffer) -> Void) {
        guard let held, phase == .open else { return }
        let ready = held.takeReady(refuse: refuse)
        if held.isEmpty { self.held = nil }
        if ready.readableBytes > 0 { writeControl(ready) }
        let mayReadOn = pause == .untilKept ? held.isEmpty : !held.isFull
        if pause != .none, mayReadOn { readOn(wasPaused: pause) }
        flush()
    }

    private func readOn(wasPaused: Pause) {
        pause = .none
        // A message that was postponed for another reason comes when that is over.
        if postponed == nil {
            context.beginBurst()
            consumePartial()
            sendReplies()
        } else if wasPaused == .untilKept {
            continueReading()
        }
        releaseRead()
    }
}
