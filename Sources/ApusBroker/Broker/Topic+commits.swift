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
        let (taken, waiting) = state.withLockedValue { state -> (Uncommitted?, [HubMailbox]) in
            guard let (batches, ids) = state.uncommitted?.take() else { return (nil, []) }
            let taken = Uncommitted(
                durability: state.durability,
                batches: batches,
                ids: state.dedupe == nil ? [] : ids.map { ($0.offset, $0.id) }
            )
            return (taken, state.takeWaitingIfOpen())
        }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
        return taken
    }

    /// Settles what was taken last. If it failed, all that was published since fails with it.
    ///
    /// - Parameters:
    ///   - archive: where it can be read back; `nil` if it cannot.
    ///   - dropped: which of the publications are not kept, counted from 0, as others have published those ids already,
    ///     and at which offsets.
    ///   - first: the offset of the first one that is kept; `nil` for the head. What is not here yet before it is gone
    ///     for good.
    package func settle(
        _ outcome: Commit.Outcome,
        in archive: ArchiveSource? = nil,
        dropping dropped: [(index: Int, offset: Offset)] = [],
        at first: Offset? = nil
    ) {
        var wakeups: [Wakeup] = []
        let (commits, subscribers, waiting, isOver) = state.withLockedValue { state in
            let commits: [(Commit, Relocation?)] =
                if case .kept = outcome {
                    [state.adopt(in: archive, dropping: dropped, at: first, wakeups: &wakeups)].compactMap { $0 }
                } else {
                    state.dropUncommitted().map { ($0, nil) }
                }
            let isOver = state.isDeletionDue && state.uncommitted?.isEmpty ?? true
            return (commits, state.subscriptions, state.takeWaitingIfOpen(), isOver)
        }
        // First, so that a hub sends acks before events.
        for (commit, relocation) in commits {
            commit.settle(outcome, subscribers: subscribers, relocation: relocation)
        }
        let taken = commits.first?.0.taken ?? DeliveryRounds.none
        for wakeup in wakeups { wakeup.mailbox.post([wakeup.slot], taken: taken) }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
        if isOver { delete() }
    }

    /// What was taken last can never be kept. What was published since then goes on without it.
    package func refuse(_ failure: CommitFailure) {
        let (commit, waiting, isOver) = state.withLockedValue { state in
            let commit = state.refuseCurrent()
            return (commit, state.takeWaitingIfOpen(), state.isDeletionDue && state.uncommitted?.isEmpty ?? true)
        }
        commit?.settle(.failed(failure))
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
        if isOver { delete() }
    }

    /// Makes readable what others have published through the journal. What waits here comes after it.
    ///
    /// - Parameters:
    ///   - batches: without gaps between them, from the head on. If they begin later, what is before is gone for good.
    ///   - ids: the message ids of theirs, in the order of their offsets.
    ///   - archive: where they can be read back; `nil` if they cannot.
    ///
    /// - Returns: messages times subscriptions that they are for.
    @discardableResult
    package func adopt(
        others batches: [Batch],
        ids: [(offset: Offset, id: String)],
        in archive: ArchiveSource? = nil
    ) -> Int {
        var wakeups: [Wakeup] = []
        let (matched, waiting) = state.withLockedValue { state in
            let count = state.adopt(others: batches, ids: ids, in: archive, wakeups: &wakeups)
            return (count * state.subscriptions, state.takeWaitingIfOpen())
        }
        // When others took them is not known here.
        let taken = HubMailbox.now()
        for wakeup in wakeups { wakeup.mailbox.post([wakeup.slot], taken: taken) }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
        return matched
    }

    /// What is before an offset can be read back.
    package func noteArchived(in archive: ArchiveSource, before end: Offset) {
        let waiting = state.withLockedValue { state in
            state.noteArchived(in: archive, before: end)
            return state.takeWaitingIfOpen()
        }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
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
    package var isInJournal: Bool {
        state.withLockedValue { $0.archive != nil }
    }

    /// The offset that the next publication gets for good.
    package var head: Offset {
        state.withLockedValue { $0.log.head }
    }

    /// Whether something waits to be kept.
    package var hasUncommitted: Bool {
        state.withLockedValue { $0.uncommitted?.isEmpty == false }
    }
}
