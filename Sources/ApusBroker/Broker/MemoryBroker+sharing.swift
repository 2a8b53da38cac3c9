package import ApusProtocol
import NIOConcurrencyHelpers

// Topics that several machines share: the journal decides on them, and tells all of the machines.

extension MemoryBroker {
    package var isShared: Bool { journal?.decidesTopics == true }

    package func catchUp(on names: [String]) async throws(BrokerError) {
        try await journal?.catchUp(on: names)
    }

    package func create(named name: String) async throws(BrokerError) -> Topic {
        guard let journal, journal.decidesTopics else {
            let topic = try createTopic(named: name)
            try await keepChanges()
            return topic
        }
        guard TopicName.isAllowed(name) else { throw .nameNotAllowed }
        let (topic, isNew) = try await topic(after: .create(name), journal)
        guard isNew else { throw BrokerError(.topicExists, "Topic '\(name)' already exists") }
        return topic
    }

    package func put(
        named name: String,
        _ fields: TopicSettingsFields
    ) async throws(BrokerError) -> (topic: Topic, isNew: Bool) {
        guard let journal, journal.decidesTopics else {
            let result = try putTopic(named: name) { $0.change(to: fields) }
            try await keepChanges()
            return result
        }
        guard TopicName.isAllowed(name) else { throw .nameNotAllowed }
        return try await topic(after: .put(name, fields), journal)
    }

    package func delete(named name: String) async throws(BrokerError) {
        guard let journal, journal.decidesTopics else {
            try deleteTopic(named: name)
            return try await keepChanges()
        }
        guard TopicName.isAllowed(name), try await journal.propose(.delete(name)) != .missing else {
            throw .noTopic(named: name)
        }
    }

    private func keepChanges() async throws(BrokerError) {
        do throws(CommitFailure) { try await changesKept() } catch { throw BrokerError(.notKept, error.message) }
    }

    private func topic(
        after proposal: TopicProposal,
        _ journal: any Journal
    ) async throws(BrokerError) -> (topic: Topic, isNew: Bool) {
        if topic(named: proposal.name) == nil { try checkRoom() }
        let verdict = try await journal.propose(proposal)
        // It may take a moment until what is before it in the cluster is here, too.
        for _ in 0..<Self.looks {
            if let topic = topic(named: proposal.name) { return (topic, verdict == .made) }
            do { try await Task.sleep(for: .milliseconds(5)) } catch { break }
        }
        // Somebody else may have deleted it since.
        throw .noTopic(named: proposal.name)
    }

    /// How often to look for a topic that was decided on: for two seconds.
    private static var looks: Int { 400 }

    // MARK: The journal's side

    /// Takes over what is true of topics now. What others have made does not count against the limit.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
    /// - Returns: the topic, if there is one now.
    @discardableResult
    package func adopt(_ news: TopicNews, now: Int64) -> Topic? {
        switch news {
        case .there(let name, let epoch, let settings):
            if let topic = topic(named: name) {
                if topic.epoch == epoch {
                    topic.change { $0 = settings }
                    return topic
                }
                remove(topicNamed: name)
            }
            return insert(named: name, epoch: epoch, settings: settings)
        case .gone(let name):
            remove(topicNamed: name)
            return nil
        case .purged(let name, let end):
            guard let topic = topic(named: name) else { return nil }
            purge(topic, before: end, now: now)
            return topic
        }
    }
}
