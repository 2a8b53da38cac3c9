import ApusBroker
import ApusProtocol
import NIOConcurrencyHelpers

/// A journal that only notes which topics it has to come to. The simulation decides when it takes what waits in one of
/// them, and what becomes of it.
final class SimulatedJournal: Journal {
    private struct State {
        var waiting: [Topic] = []
        var failure: CommitFailure?
    }

    private let state = NIOLockedValueBox(State())

    let durability = Durability.disk
    var failure: CommitFailure? { state.withLockedValue { $0.failure } }
    var figures: JournalFigures { JournalFigures() }

    /// The topics that were named since it came to them.
    var waiting: [Topic] { state.withLockedValue { $0.waiting } }

    func commit(_ topics: [Topic]) {
        state.withLockedValue { state in
            for topic in topics where !state.waiting.contains(where: { $0 === topic }) { state.waiting.append(topic) }
        }
    }

    func record(_ change: TopicChange) -> Commit {
        let commit = Commit()
        commit.settle(.kept)
        return commit
    }

    /// Takes what waits in a topic. A topic whose last commit is under way stays named.
    ///
    /// - Returns: the offsets of the messages; `nil` if it took nothing.
    func take(_ topic: Topic) -> [Offset]? {
        guard let taken = topic.takeUncommitted() else {
            if !topic.hasUncommitted { forget(topic) }
            return nil
        }
        forget(topic)
        return taken.batches.flatMap { Array($0.first..<$0.end) }
    }

    /// From now on, nothing can be kept.
    func fail(for good: CommitFailure) {
        state.withLockedValue { $0.failure = good }
    }

    private func forget(_ topic: Topic) {
        state.withLockedValue { state in state.waiting.removeAll { $0 === topic } }
    }

    // MARK: Nothing is read back

    func holding(of topic: Topic) -> JournalHolding { JournalHolding() }

    func read(
        _ topic: UInt32,
        template: EventTemplate,
        from offset: Offset,
        bytes: Int,
        answer: @escaping @Sendable (ArchiveAnswer) -> Void
    ) {
        answer(.gone(before: offset + 1))
    }

    func firstOffset(of topic: UInt32, since time: Int64) -> Offset? { nil }
}
