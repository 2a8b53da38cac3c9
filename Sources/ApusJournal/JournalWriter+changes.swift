import ApusBroker
import ApusProtocol
import ApusStore

// Changes of topics: what the catalog has to know.

extension JournalWriter {
    /// A topic that is to be kept from now on.
    struct Rising {
        var row: Catalog.Topic
        /// Settled when the catalog has it.
        var commits: [Commit]
    }

    /// Keeps changes of topics, and those that could not be kept before.
    mutating func keep(_ changes: [(change: Catalog.Change, commit: Commit)]) -> Commit.Outcome {
        if let failure {
            for change in changes { change.commit.settle(.failed(failure)) }
            return .failed(failure)
        }
        var settled: [(change: Catalog.Change, commit: Commit)] = []
        for change in changes where !putOff(change.change, change.commit) { settled.append(change) }
        for (change, _) in settled { unkept.add(change) }
        let outcome = note { writer throws(JournalError) in
            try writer.apply(writer.unkept.deletions)
            for case .delete(let topic) in writer.unkept.deletions {
                writer.table.withLock { $0.remove(topic: topic) }
            }
            writer.unkept.removeDeletions()
            try writer.apply(writer.unkept.purges)
            writer.unkept.removePurges()
            if !writer.unkept.others.isEmpty { try writer.checkRoom() }
            try writer.apply(writer.unkept.others)
            writer.unkept.removeOthers()
        }
        for change in settled { change.commit.settle(outcome) }
        return outcome
    }

    /// Puts a change off if it is that a topic of memory is to be kept: first comes what the topic brings along.
    private mutating func putOff(_ change: Catalog.Change, _ commit: Commit) -> Bool {
        switch change {
        case .change(let row) where row.durability != .memory && levels[row.number] == .memory:
            rising[row.number] = Rising(row: row, commits: (rising[row.number]?.commits ?? []) + [commit])
            return true
        case .change(let row):
            endRise(of: row.number)
        case .delete(let topic):
            endRise(of: topic)
        default:
            break
        }
        return false
    }

    /// The topic is not to be kept any more.
    private mutating func endRise(of topic: UInt32) {
        for commit in rising.removeValue(forKey: topic)?.commits ?? [] { commit.settle(.kept) }
    }

    /// Tells the catalog of topics that are kept from now on, with all that they brought along.
    mutating func raise(_ topics: [Topic]) throws(JournalError) {
        var changes: [Catalog.Change] = []
        for topic in topics {
            guard let rise = rising[topic.number] else { continue }
            // Of what has expired nothing is kept; its offsets are not used again.
            let first = table.withLock { $0.records(of: topic.number).first?.first } ?? topic.publishedCount + 1
            changes += [.change(rise.row), .keep(topic: topic.number, from: first)]
        }
        try apply(changes)
    }

    /// The same after their commit. If the catalog does not take it, what they brought along does not count.
    mutating func raise(_ topics: [Topic], after outcome: Commit.Outcome) -> Commit.Outcome {
        let topics = topics.filter { rising[$0.number] != nil }
        guard case .kept = outcome, !topics.isEmpty else { return outcome }
        let risen = note { writer throws(JournalError) in try writer.raise(topics) }
        if case .failed = risen {
            for topic in topics { table.withLock { $0.remove(topic: topic.number) } }
        }
        return risen
    }

    /// The same for a topic that brings nothing along.
    mutating func raise(_ topic: Topic) {
        guard rising[topic.number] != nil, !topic.hasUncommitted else { return }
        let outcome = failure.map { .failed($0) } ?? note { writer throws(JournalError) in try writer.raise([topic]) }
        settleRise(of: topic, outcome)
    }

    /// Tells whoever waits for a topic to be kept. If it failed, the next commit of the topic tries again.
    mutating func settleRise(of topic: Topic, _ outcome: Commit.Outcome) {
        guard let commits = rising[topic.number]?.commits else { return }
        if case .kept = outcome { rising[topic.number] = nil } else { rising[topic.number]?.commits = [] }
        for commit in commits { commit.settle(outcome) }
    }

    mutating func apply(_ changes: [Catalog.Change]) throws(JournalError) {
        guard !changes.isEmpty else { return }
        do throws(CatalogError) { try catalog.apply(changes) } catch { throw JournalError(error, in: folder) }
        for change in changes {
            switch change {
            case .create(let row), .change(let row): levels[row.number] = row.durability
            case .delete(let topic): levels[topic] = nil
            case .keep, .giveUp, .counter, .removeCounter: break
            }
        }
    }
}
