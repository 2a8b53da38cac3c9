package import ApusProtocol
import NIOConcurrencyHelpers

// What a broker and its journal tell each other.

extension MemoryBroker {
    /// Takes over the topics that the journal has kept. Call it before anything else.
    ///
    /// - Parameters:
    ///   - lastNumber: the highest number that a topic ever had.
    ///   - now: the time of both clocks.
    package func restore(_ topics: [RestoredTopic], lastNumber: UInt32, now: Moment) {
        state.withLockedValue { state in
            state.lastNumber = lastNumber
            for restored in topics {
                let topic = Topic(
                    name: restored.name,
                    epoch: restored.epoch,
                    limits: limits,
                    rate: state.topicRate,
                    settings: restored.settings,
                    number: restored.number,
                    durability: journal?.durability ?? .memory
                )
                topic.state.withLockedValue { $0.restore(restored, lead: now.wall - now.steady) }
                state.topics[ExactText(restored.name)] = topic
                state.names.insert(restored.name, topic)
            }
        }
    }

    package func dropTails() {
        guard journal != nil else { return }
        for topic in topics { topic.dropTail() }
    }

    package func changesKept() async throws(CommitFailure) {
        guard let change = state.withLockedValue({ $0.lastChange }) else { return }
        if case .failed(let failure) = await change.settled() { throw failure }
    }

    /// Tells the journal of a topic's new settings, unless the topic was deleted meanwhile.
    func keepSettings(of topic: Topic) {
        guard let journal else { return }
        state.withLockedValue { state in
            guard state.topics[ExactText(topic.name)] === topic else { return }
            state.lastChange = journal.record(.changed(topic, topic.settings))
        }
        // What it has may have to be kept from now on, or need not be any more.
        journal.commit([topic])
    }
}
