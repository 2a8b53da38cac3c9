package import ApusBroker
package import ApusProtocol
import NIOConcurrencyHelpers
import NIOCore

/// A journal that keeps what it is given when the test says so.
///
/// Calls of a hub only note what waits. ``take()`` and ``settle(_:)`` are what a disk's thread would do.
package final class ManualJournal: Journal {
    package let durability: Durability

    private struct State {
        var waiting: [Topic] = []
        var taken: [(topic: Topic, batches: [Batch], ids: [(offset: Offset, id: String)])] = []
        var changes: [(change: TopicChange, commit: Commit)] = []
        var kept: [UInt32: [BatchRecord]] = [:]
        var failure: CommitFailure?
        var reads: [Read] = []
        var broker: MemoryBroker?
        var proposed: [String] = []
        var refusal: BrokerError?
    }

    private struct Read {
        let topic: UInt32
        let template: EventTemplate
        let offset: Offset
        let bytes: Int
        let answer: @Sendable (ArchiveAnswer) -> Void

        init(
            _ topic: UInt32,
            _ template: EventTemplate,
            _ offset: Offset,
            _ bytes: Int,
            _ answer: @escaping @Sendable (ArchiveAnswer) -> Void
        ) {
            (self.topic, self.template, self.offset, self.bytes) = (topic, template, offset, bytes)
            self.answer = answer
        }

        func find(in records: [BatchRecord]) -> ArchiveAnswer {
            let rest = records.drop { $0.first + UInt64($0.count) <= offset }
            guard let first = rest.first?.first else { return .gone(before: offset + 1) }
            guard first <= offset else { return .gone(before: first) }
            var (batches, size) = ([Batch](), 0)
            for record in rest {
                size += record.frames.readableBytes
                guard batches.isEmpty || size <= bytes else { break }
                if let (batch, _) = record.batch(template: template, lead: 0) { batches.append(batch) }
            }
            return .batches(batches)
        }
    }

    private let state = NIOLockedValueBox(State())
    /// Whether topics read back from it what they do not keep in memory.
    private let isArchive: Bool

    package let decidesTopics: Bool

    package init(durability: Durability = .disk, isArchive: Bool = false, decidesTopics: Bool = false) {
        self.durability = durability
        self.isArchive = isArchive
        self.decidesTopics = decidesTopics
    }

    package var figures: JournalFigures { JournalFigures() }
    package func holding(of topic: Topic) -> JournalHolding {
        let records = kept(topic)
        return JournalHolding(
            bytes: records.reduce(0) { $0 + $1.frames.readableBytes },
            first: records.first?.first
        )
    }

    package var failure: CommitFailure? { state.withLockedValue { $0.failure } }

    package func commit(_ topics: [Topic]) {
        state.withLockedValue { state in
            for topic in topics where !state.waiting.contains(where: { $0 === topic }) { state.waiting.append(topic) }
        }
    }

    package func record(_ change: TopicChange) -> Commit {
        let commit = Commit()
        state.withLockedValue { $0.changes.append((change, commit)) }
        return commit
    }

    // MARK: Topics that it decides on

    /// Has it tell a broker what it decides.
    package func attach(_ broker: MemoryBroker) {
        state.withLockedValue { $0.broker = broker }
    }

    /// The names of the topics that it was asked about.
    package var proposed: [String] { state.withLockedValue { $0.proposed } }

    /// What it answers from now on; `nil` if it decides.
    package var refusal: BrokerError? {
        get { state.withLockedValue { $0.refusal } }
        set { state.withLockedValue { $0.refusal = newValue } }
    }

    package func propose(_ proposal: TopicProposal) async throws(BrokerError) -> TopicVerdict {
        let (broker, refusal) = state.withLockedValue { state in
            state.proposed.append(proposal.name)
            return (state.broker, state.refusal)
        }
        if let refusal { throw refusal }
        guard let broker else { throw BrokerError(.notKept, "no broker") }
        let topic = broker.topic(named: proposal.name)
        var settings = topic?.settings ?? TopicSettings()
        switch proposal {
        case .create where topic != nil: return .there
        case .create: break
        case .put(_, let fields): settings.change(to: fields)
        case .delete(let name):
            broker.adopt(.gone(name: name), now: 0)
            return topic == nil ? .missing : .done
        case .purge(_, let end):
            broker.adopt(.purged(name: proposal.name, before: end), now: 0)
            return topic == nil ? .missing : .done
        }
        let epoch = topic?.epoch ?? MemoryBroker.randomEpoch()
        broker.adopt(.there(name: proposal.name, epoch: epoch, settings), now: 0)
        return topic == nil ? .made : .there
    }

    // MARK: Messages

    /// The topics that a hub has named since they were taken.
    package var waiting: [Topic] { state.withLockedValue { $0.waiting } }

    /// The changes that are not settled.
    package var changes: [TopicChange] { state.withLockedValue { $0.changes.map(\.change) } }

    /// The records of a topic, in the order in which they were kept.
    package func kept(_ topic: Topic) -> [BatchRecord] {
        state.withLockedValue { $0.kept[topic.number] ?? [] }
    }

    /// Takes what waits in the topics that a hub has named.
    ///
    /// - Returns: how many topics had something.
    @discardableResult
    package func take() -> Int {
        let topics = state.withLockedValue { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        let taken = topics.compactMap { topic in
            topic.takeUncommitted().map { (topic, $0.batches, $0.ids) }
        }
        // What a topic has while its last commit is under way has to wait.
        let untaken = topics.filter { topic in !taken.contains { $0.0 === topic } && topic.hasUncommitted }
        state.withLockedValue { state in
            state.taken += taken
            state.waiting += untaken
        }
        return taken.count
    }

    /// Settles all that was taken, and the changes before it.
    package func settle(_ outcome: Commit.Outcome = .kept) {
        let (taken, changes) = state.withLockedValue { state in
            defer { (state.taken, state.changes) = ([], []) }
            if case .kept = outcome {
                for (topic, batches, ids) in state.taken {
                    state.kept[topic.number, default: []] += batches.map { BatchRecord($0, ids: ids) }
                }
            }
            return (state.taken, state.changes)
        }
        for (_, commit) in changes { commit.settle(outcome) }
        for (topic, _, _) in taken {
            topic.settle(outcome, in: isArchive ? source(of: topic) : nil)
        }
    }

    private func source(of topic: Topic) -> ArchiveSource {
        ArchiveSource(journal: self, topic: topic.number, lead: 0, first: kept(topic).first?.first ?? 1)
    }

    package func read(
        _ topic: UInt32,
        template: EventTemplate,
        from offset: Offset,
        bytes: Int,
        answer: @escaping @Sendable (ArchiveAnswer) -> Void
    ) {
        state.withLockedValue { $0.reads.append(Read(topic, template, offset, bytes, answer)) }
    }

    package func firstOffset(of topic: UInt32, since time: Int64) -> Offset? {
        state.withLockedValue { $0.kept[topic]?.first { $0.newestTime >= time }?.first }
    }

    /// How many reads wait for ``answer()``.
    package var readCount: Int { state.withLockedValue { $0.reads.count } }

    /// Gives up the first records of a topic.
    package func giveUp(_ topic: Topic, before offset: Offset) {
        let first = state.withLockedValue { state in
            state.kept[topic.number]?.removeAll { $0.first + UInt64($0.count) <= offset }
            return state.kept[topic.number]?.first?.first ?? offset
        }
        topic.noteFirst(inJournal: first)
    }

    /// Answers the reads that wait.
    ///
    /// - Parameter answer: `nil` for what it has.
    package func answer(_ answer: ArchiveAnswer? = nil) {
        let (reads, kept) = state.withLockedValue { state in
            defer { state.reads = [] }
            return (state.reads, state.kept)
        }
        for read in reads { read.answer(answer ?? read.find(in: kept[read.topic] ?? [])) }
    }

    /// Keeps all that waits, or fails it.
    package func run(_ outcome: Commit.Outcome = .kept) {
        take()
        settle(outcome)
    }
}
