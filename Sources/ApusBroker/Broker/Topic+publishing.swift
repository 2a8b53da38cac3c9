import ApusProtocol
import NIOConcurrencyHelpers

// From a hub into the log, or to those that wait for the journal.

extension Topic {
    /// Appends `message`, a JSON object, and adds the hubs to notify to `wakeups`.
    ///
    /// - Parameter commit: set to what has to be kept before the message is published, if anything.
    func publish(
        _ message: UnsafeRawBufferPointer,
        time: Timestamp,
        origin: UInt32,
        by publisher: HubMailbox?,
        wakeups: inout [Wakeup],
        commit: inout Commit?
    ) -> PublishOutcome {
        state.withLockedValue { state in
            guard state.takesBareMessages else {
                let (outcome, refusal) = state.publishUncommitted(
                    CollectionOfOne(message),
                    time: time,
                    origin: origin,
                    by: publisher,
                    wakeups: &wakeups,
                    commit: &commit
                )
                return outcome ?? refusal ?? .needsPublication
            }
            if let obstacle = state.obstacle(to: publisher, wakeups: &wakeups) { return obstacle }
            let offset = state.log.append(message, time: time, origin: origin)
            state.published(1, bytes: message.count, time: time.steady, wakeups: &wakeups)
            return .published(PublishReceipt(offset: offset, subscribers: state.subscriptions))
        }
    }

    /// Appends `messages`, JSON objects, in order and up to the first one that the topic does not take at once.
    ///
    /// - Returns: the outcome of what was appended, and that of the first message that was not.
    func publish(
        _ messages: ContiguousArray<UnsafeRawBufferPointer>,
        time: Timestamp,
        origin: UInt32,
        by publisher: HubMailbox?,
        wakeups: inout [Wakeup],
        commit: inout Commit?
    ) -> (outcome: PublishOutcome?, refusal: PublishOutcome?) {
        state.withLockedValue { state in
            guard state.takesBareMessages else {
                return state.publishUncommitted(
                    messages,
                    time: time,
                    origin: origin,
                    by: publisher,
                    wakeups: &wakeups,
                    commit: &commit
                )
            }
            var receipt = PublishReceipt(offset: state.log.head, count: 0, subscribers: state.subscriptions)
            for message in messages {
                if let obstacle = state.obstacle(to: publisher, wakeups: &wakeups) {
                    return (.published(receipt), obstacle)
                }
                _ = state.log.append(message, time: time, origin: origin)
                state.published(1, bytes: message.count, time: time.steady, wakeups: &wakeups)
                receipt.count += 1
            }
            return (.published(receipt), nil)
        }
    }

    /// Appends all publications or none, except duplicates: ids published within the topic's dedupe window.
    func publish(
        _ publications: [Publication],
        time: Timestamp,
        origin: UInt32,
        by publisher: HubMailbox?,
        wakeups: inout [Wakeup],
        commit: inout Commit?
    ) -> PublishOutcome {
        state.withLockedValue { state in
            guard !state.isDeleted else { return .deleted }
            // First, so that nobody waits only to be refused.
            if let wait = state.rateWait(for: publications.count, now: time.steady) { return .rateLimited(wait) }
            let size = state.uncommitted == nil ? 0 : state.recordSize(publications)
            if let obstacle = state.obstacleToCommit(for: publisher, bytes: size, wakeups: &wakeups) { return obstacle }
            state.spendRate(publications.count, now: time.steady)
            var receipt = PublishReceipt(offset: 0, count: 0, subscribers: state.subscriptions)
            receipt.stored = state.durability
            var (bytes, newest) = (0, Offset(0))
            for publication in publications {
                let (offset, isNew) = state.append(publication, time: time, origin: origin)
                newest = max(newest, offset)
                if isNew {
                    if receipt.count == 0 { receipt.offset = offset }
                    receipt.count += 1
                    bytes += publication.message.count
                } else {
                    if receipt.count + receipt.duplicates == 0 { receipt.offset = offset }
                    receipt.duplicates += 1
                }
            }
            if receipt.count > 0, state.uncommitted == nil {
                state.published(receipt.count, bytes: bytes, time: time.steady, wakeups: &wakeups)
            }
            return state.outcome(of: receipt, newest: newest, by: publisher, commit: &commit)
        }
    }
}
