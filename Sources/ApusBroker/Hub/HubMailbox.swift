import NIOConcurrencyHelpers

/// The side of a ``Hub`` that other threads may touch: what it should look at in its next turn.
///
/// One leaf lock. Bounded by the number of topics the hub reads: a topic is posted once until the hub has drained it.
public final class HubMailbox: Sendable {
    struct Inbox {
        var slots: [Int] = []
        var resumed: [Topic] = []
    }

    private struct State {
        var inbox = Inbox()
        var isScheduled = false
    }

    private let state = NIOLockedValueBox(State())
    private let schedule: @Sendable () -> Void

    /// - Parameter schedule: makes the hub's ``Hub/turn()`` run soon, on its own loop. May be called from any thread.
    public init(schedule: @escaping @Sendable () -> Void) {
        self.schedule = schedule
    }

    func post(_ slots: [Int]) {
        change { $0.slots += slots }
    }

    /// Tells the hub that publishers waiting for `topic` may try again.
    func resumePublishers(of topic: Topic) {
        change { $0.resumed.append(topic) }
    }

    private func change(_ body: (inout Inbox) -> Void) {
        let isFirst = state.withLockedValue { state in
            body(&state.inbox)
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if isFirst { schedule() }
    }

    /// Makes the hub's turn come, if it is not coming already.
    func requestTurn() {
        change { _ in }
    }

    func take() -> Inbox {
        state.withLockedValue { state in
            state.isScheduled = false
            guard !state.inbox.slots.isEmpty || !state.inbox.resumed.isEmpty else { return Inbox() }
            defer { state.inbox = Inbox() }
            return state.inbox
        }
    }
}
