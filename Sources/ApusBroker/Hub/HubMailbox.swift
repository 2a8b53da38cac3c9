import Glibc
import NIOConcurrencyHelpers

/// The part of a ``Hub`` that other threads may touch: what the hub should look at in its next turn.
///
/// One leaf lock guards it. Its size is bounded by ``presenceLimit`` and by the number of topics that the hub reads or
/// will read, because a topic is posted once until the hub has drained it.
package final class HubMailbox: Sendable {
    /// The most presence news kept for a hub. More news is dropped and counted.
    static let presenceLimit = 10_000

    /// A topic in which a subscription is promised to a filter.
    typealias Match = (topic: Topic, filter: FilterID)

    struct Inbox {
        var slots: [Int] = []
        var resumed: [Topic] = []
        var settled: [Commit] = []
        var reads: [ArchiveRead] = []
        var matched: [Match] = []
        var presence: [(news: Presence, slot: Int)] = []
        /// For each slot, the number of dropped news.
        var droppedPresence: [Int: UInt64] = [:]
        /// When the oldest of these slots was posted, by ``HubMailbox/now()``.
        var since: UInt64?
        /// When the oldest message in these slots was taken, as in ``DeliveryRounds``.
        var taken = DeliveryRounds.none

        var isEmpty: Bool {
            slots.isEmpty && resumed.isEmpty && matched.isEmpty && presence.isEmpty && droppedPresence.isEmpty
                && settled.isEmpty && reads.isEmpty
        }
    }

    private struct State {
        var inbox = Inbox()
        var isScheduled = false
    }

    private let state = NIOLockedValueBox(State())
    private let schedule: @Sendable () -> Void

    /// Creates the mailbox of a hub.
    ///
    /// - Parameter schedule: makes the hub's ``Hub/turn()`` run soon, on its own loop. May be called from any thread.
    package init(schedule: @escaping @Sendable () -> Void) {
        self.schedule = schedule
    }

    /// - Parameter taken: when the oldest message in these slots was taken.
    func post(_ slots: [Int], taken: UInt64 = DeliveryRounds.none) {
        change { inbox in
            if inbox.since == nil { inbox.since = Self.now() }
            inbox.slots += slots
            inbox.taken = min(inbox.taken, taken)
        }
    }

    /// Nanoseconds of the monotonic clock.
    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(truncatingIfNeeded: time.tv_sec) &* 1_000_000_000 &+ UInt64(truncatingIfNeeded: time.tv_nsec)
    }

    /// Tells the hub that publishers waiting for `topic` may try again.
    func resumePublishers(of topic: Topic) {
        change { $0.resumed.append(topic) }
    }

    /// Tells the hub what came of publishes of its own.
    func post(_ settled: Commit) {
        change { $0.settled.append(settled) }
    }

    /// Hands the hub what was read back for one of its subscriptions.
    func post(_ read: ArchiveRead) {
        change { $0.reads.append(read) }
    }

    /// Tells the hub about a new topic that one of its filters matches.
    func post(_ topic: Topic, matching filter: FilterID) {
        change { $0.matched.append((topic, filter)) }
    }

    /// Tells the hub that a subscription to the topic in `slot` has begun or ended.
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

    /// Schedules the hub's turn unless it is already scheduled.
    func requestTurn() {
        change { _ in }
    }

    /// Takes only the new topics posted since the last call.
    func takeMatched() -> [Match] {
        state.withLockedValue { state in
            defer { state.inbox.matched = [] }
            return state.inbox.matched
        }
    }

    /// Takes everything posted since the last call; `nil` when there is nothing.
    func take() -> Inbox? {
        state.withLockedValue { state in
            state.isScheduled = false
            guard !state.inbox.isEmpty else { return nil }
            defer { state.inbox = Inbox() }
            return state.inbox
        }
    }
}
