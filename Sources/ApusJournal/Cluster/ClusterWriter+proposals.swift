import ApusBroker
import ApusCluster
import ApusProtocol

// Changes of topics, as the broker proposes them.

extension ClusterWriter {
    mutating func propose(_ proposed: ClusterJournal.Proposed, tries: Int = 0) {
        let name = proposed.proposal.name
        if case .create = proposed.proposal {
            // Many may want the same topic at once, where commands make topics: it is made for the first.
            guard joined[name] == nil else { return joined[name, default: []].append(proposed) }
            joined[name] = []
        }
        if case .put = proposed.proposal, let entry = entries[name], TopicSettings(clusterText: entry.settings) == nil {
            // What is not known here must not be lost.
            let reason = "A newer version of Apus has set topic '\(name)': change it on a node of that version"
            return proposed.answer.resume(returning: .failure(BrokerError(.notKept, reason)))
        }
        let ticket = ticket(.proposal(proposed, tries: tries))
        switch proposed.proposal {
        case .create: node.change(name, create(TopicSettings()), ticket: ticket)
        case .put(_, let fields):
            var settings = entries[name].flatMap { TopicSettings(clusterText: $0.settings) } ?? TopicSettings()
            settings.change(to: fields)
            guard let entry = entries[name] else { return node.change(name, create(settings), ticket: ticket) }
            let text = settings.clusterText
            node.change(name, .set(settings: text, dedupeWindow: settings.dedupeWindow, from: entry), ticket: ticket)
        case .delete: node.change(name, .delete, ticket: ticket)
        case .purge: node.purge(name, ticket: ticket)
        }
    }

    private func create(_ settings: TopicSettings) -> RegistryChange {
        .create(
            epoch: MemoryBroker.randomEpoch(),
            settings: settings.clusterText,
            dedupeWindow: settings.dedupeWindow
        )
    }

    mutating func answer(
        _ proposed: ClusterJournal.Proposed,
        tries: Int,
        _ result: Result<TopicAnswer, ClusterFailure>
    ) {
        let verdict: Result<TopicVerdict, BrokerError>
        switch result {
        case .success(.created): verdict = .success(.made)
        case .success(.changed): verdict = .success(.there)
        case .success(.deleted): verdict = .success(.done)
        case .success(.notFound):
            if case .put = proposed.proposal, tries < Self.mostTries { return propose(proposed, tries: tries + 1) }
            verdict = .success(.missing)
        case .success(.exists), .success(.conflict):
            if case .create = proposed.proposal {
                verdict = .success(.there)
            } else if tries < Self.mostTries {
                return propose(proposed, tries: tries + 1)
            } else {
                let name = proposed.proposal.name
                verdict = .failure(BrokerError(.notKept, "Others change topic '\(name)' all the time"))
            }
        case .failure(let failure): verdict = .failure(BrokerError(.notKept, CommitFailure(failure).message))
        }
        proposed.answer.resume(returning: verdict)
        guard case .create(let name) = proposed.proposal else { return }
        for other in joined.removeValue(forKey: name) ?? [] {
            other.answer.resume(returning: verdict.map { $0 == .made ? .there : $0 })
        }
    }
}
