import NIOConcurrencyHelpers
import NIOCore

/// The side of a ``Hub`` that other threads may touch: what it should look at in its next turn.
///
/// One leaf lock. Bounded by the number of topics the hub reads or is to read, as a topic is posted once until the hub
/// has drained it, and by ``presenceLimit``.
public final class HubMailbox: Sendable {
    /// How much news of others' subscriptions is kept for a hub; beyond it, it is dropped and counted.
    static let presenceLimit = 10_000

    struct Inbox {
        var slots: [Int] = []
        var resumed: [Topic] = []
        var matched: [(topic: Topic, filter: FilterID)] = []
        var presence: [(news: Presence, slot: Int)] = []
        /// By slot: how much was dropped.
        var droppedPresence: [Int: UInt64] = [:]
        /// When the oldest of these slots was posted, by ``HubMailbox/now()``.
        var since: UInt64?

        var isEmpty: Bool {
            slots.isEmpty && resumed.isEmpty && matched.isEmpty && presence.isEmpty && droppedPresence.isEmpty
        }
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
        change { inbox in
            if inbox.since == nil { inbox.since = Self.now() }
            inbox.slots += slots
        }
    }

    /// Nanoseconds of a clock that never goes back.
    static func now() -> UInt64 { NIODeadline.now().uptimeNanoseconds }

    /// Tells the hub that publishers waiting for `topic` may try again.
    func resumePublishers(of topic: Topic) {
        change { $0.resumed.append(topic) }
    }

    /// Tells the hub of a new topic that one of its filters matches.
    func post(_ topic: Topic, matching filter: FilterID) {
        change { $0.matched.append((topic, filter)) }
    }

    /// Tells the hub of a subscription to the topic in `slot`.
    func post(_ presence: Presence, slot: Int) {
        change { inbox in
            if inbox.presence.count < Self.presenceLimit {
                inbox.presence.append((presence, slot))
            } else {
                inbox.droppedPresence[slot, default: 0] += 1
            }
        }
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

    /// Only the new topics that have come since the last time.
    func takeMatched() -> [(topic: Topic, filter: FilterID)] {
        state.withLockedValue { state in
            defer { state.inbox.matched = [] }
            return state.inbox.matched
        }
    }

    /// What has come since the last time, if anything has.
    func take() -> Inbox? {
        state.withLockedValue { state in
            state.isScheduled = false
            guard !state.inbox.isEmpty else { return nil }
            defer { state.inbox = Inbox() }
            return state.inbox
        }
    }
}
