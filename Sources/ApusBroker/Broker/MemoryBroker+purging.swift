import ApusProtocol
import NIOConcurrencyHelpers

// Purging: a topic lets go of its history, and everything else about it stays.

extension MemoryBroker {
    package var purgedCount: UInt64 { state.withLockedValue { $0.purgedCount } }

    package func purgeTopic(named name: String, now: Int64) async throws(BrokerError) -> UInt64 {
        guard let topic = try await find(named: name) else { throw .noTopic(named: name) }
        let (end, replayable) = topic.sealForPurge(now: now)
        if let journal, journal.decidesTopics {
            guard try await journal.propose(.purge(topic, before: end)) != .missing else { throw .noTopic(named: name) }
            return replayable
        }
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
        guard let count = purge(topic, before: end, now: now) else { throw .noTopic(named: name) }
        journal?.commit([topic])
        return count
    }

    /// - Returns: how many messages could be replayed before; `nil` when the topic is deleted.
    @discardableResult
    func purge(_ topic: Topic, before end: Offset, now: Int64) -> UInt64? {
        guard let count = topic.purge(before: end, now: now) else { return nil }
        state.withLockedValue { $0.purgedCount += count }
        return count
    }
}

extension Topic {
    /// The offset that a purge ends before, and how many messages could be replayed now. A batch of the log, and so a
    /// record of the journal, ends there.
    fileprivate func sealForPurge(now: Int64) -> (end: Offset, count: UInt64) {
        state.withLockedValue { state in
            state.log.seal()
            let (first, head) = (state.firstOfHistory(now: now), state.log.head)
            return (head, head > first ? head - first : 0)
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
