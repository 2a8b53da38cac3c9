package import ApusProtocol
import NIOConcurrencyHelpers

// What a journal does with a topic. Called on its thread.

extension Topic {
    /// What a journal has to keep: one record for each batch.
    package struct Uncommitted: Sendable {
        package let durability: Durability
        package let batches: [Batch]
        /// The message ids that the topic has to recognize, in the order of their offsets.
        package let ids: [(offset: Offset, id: String)]
    }

    /// Takes all that waits to be kept.
    ///
    /// - Returns: `nil` if nothing waits, or what was taken before is not settled yet.
    package func takeUncommitted() -> Uncommitted? {
        state.withLockedValue { state in
            guard let (batches, ids) = state.uncommitted?.take() else { return nil }
            return Uncommitted(
                durability: state.durability,
                batches: batches,
                ids: state.dedupe == nil ? [] : ids.map { ($0.offset, $0.id) }
            )
        }
    }

    /// Settles what was taken last. If it failed, all that was published since fails with it.
    ///
    /// - Parameter archive: where it can be read back; `nil` if it cannot.
    package func settle(_ outcome: Commit.Outcome, in archive: ArchiveSource? = nil) {
        var wakeups: [Wakeup] = []
        let (commits, subscribers, waiting, isOver) = state.withLockedValue { state in
            let commits =
                if case .kept = outcome { [state.adopt(in: archive, wakeups: &wakeups)].compactMap { $0 } } else {
                    state.dropUncommitted()
                }
            let isOver = state.isDeletionDue && state.uncommitted?.isEmpty ?? true
            return (commits, state.subscriptions, state.takeWaitingIfOpen(), isOver)
        }
        // First, so that a hub sends acks before events.
        for commit in commits { commit.settle(outcome, subscribers: subscribers) }
        for wakeup in wakeups { wakeup.mailbox.post([wakeup.slot]) }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
        if isOver { delete() }
    }

    /// What a journal has to keep of it; `nil` if that is nothing.
    package var wanted: JournalWant? {
        state.withLockedValue { state in
            guard !state.isDeleted, state.archive != nil || state.durability > .memory else { return nil }
            return state.wanted
        }
    }

    /// The journal has given up what is before an offset.
    ///
    /// - Parameter history: what is before this offset is not history, and only kept for somebody who needs it.
    package func noteFirst(inJournal first: Offset, ofHistory history: Offset? = nil) {
        state.withLockedValue { state in
            state.archive?.source.first = first
            state.archive?.source.history = history ?? first
        }
    }

    /// Whether a journal has something of it.
    var isInJournal: Bool {
        state.withLockedValue { $0.archive != nil }
    }

    /// Whether something waits to be kept.
    package var hasUncommitted: Bool {
        state.withLockedValue { $0.uncommitted?.isEmpty == false }
    }
}
