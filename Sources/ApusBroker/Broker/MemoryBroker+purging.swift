import ApusProtocol
import NIOConcurrencyHelpers

// Purging: a topic lets go of its history, and everything else about it stays.

extension MemoryBroker {
    package var purgedCount: UInt64 { state.withLockedValue { $0.purgedCount } }

    package func purgeTopic(named name: String, now: Int64) async throws(BrokerError) -> UInt64 {
        guard let topic = topic(named: name) else { throw .noTopic(named: name) }
        let end = topic.sealForPurge()
        if let journal {
            // Under the lock, so that the journal hears of it before the topic is deleted, or not at all.
            let change = state.withLockedValue { state -> Commit? in
                guard state.topics[ExactText(name)] === topic else { return nil }
                let change = journal.record(.purged(topic, before: end))
                state.lastChange = change
                return change
            }
            guard let change else { throw .noTopic(named: name) }
            // First the disk: what nobody can read any more must not come back.
            if case .failed(let failure) = await change.settled() { throw BrokerError(.notKept, failure.message) }
        }
        guard let count = topic.purge(before: end, now: now) else { throw .noTopic(named: name) }
        state.withLockedValue { $0.purgedCount += count }
        journal?.commit([topic])
        return count
    }
}

extension Topic {
    /// The offset that a purge ends before. A batch of the log, and so a record of the journal, ends there.
    fileprivate func sealForPurge() -> Offset {
        state.withLockedValue { state in
            state.log.seal()
            return state.log.head
        }
    }

    /// Has what is before an offset be no history.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
    /// - Returns: how many messages were; `nil` when the topic is deleted.
    func purge(before end: Offset, now: Int64) -> UInt64? {
        let (count, waiting) = state.withLockedValue { state -> (UInt64?, [HubMailbox]) in
            guard !state.isDeleted else { return (nil, []) }
            state.log.seal()
            let first = state.firstOfHistory(now: now)
            state.log.purge(before: end)
            state.uncommitted?.forgetReadable(before: end)
            state.trim()
            return (end > first ? end - first : 0, state.takeWaitingIfOpen())
        }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
        return count
    }
}
