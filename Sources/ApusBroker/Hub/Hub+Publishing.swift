package import ApusProtocol

// The way of a publish from its loop into the log of its topic.

extension Hub {
    private func topic(named name: UnsafeRawBufferPointer) -> Topic? {
        if let topic = cache.find(name) { return topic }
        guard let topic = broker.topic(named: String(decoding: name, as: UTF8.self)) else { return nil }
        cache.remember(topic)
        return topic
    }

    /// Publishes `message`, a JSON object, to the topic of that name. Its subscribers get it in the following turns.
    ///
    /// - Parameter origin: the connection that publishes.
    /// - Returns: the topic and the outcome. If the outcome says that the publisher must wait, call ``wait(_:for:_:)``
    ///   and publish again when told.
    package func publish(
        _ message: UnsafeRawBufferPointer,
        toTopicNamed name: UnsafeRawBufferPointer,
        time: Timestamp,
        origin: UInt32
    ) -> PublishResult {
        while let topic = topic(named: name) {
            let outcome = publish(message, to: topic, time: time, origin: origin)
            // The cached topic was deleted meanwhile. Another topic may have its name now.
            if outcome != .deleted { return PublishResult(topic: topic, outcome: outcome) }
        }
        return PublishResult(topic: nil, outcome: .deleted)
    }

    /// Publishes to exactly this topic, even if another topic has its name by now.
    package func publish(
        _ message: UnsafeRawBufferPointer,
        to topic: Topic,
        time: Timestamp,
        origin: UInt32
    ) -> PublishOutcome {
        let outcome = topic.publish(
            message,
            time: time,
            origin: origin,
            by: mailbox,
            wakeups: &wakeups,
            commit: &newestCommit
        )
        finish(outcome, of: topic)
        return outcome
    }

    /// Publishes what is staged, in order and up to the first message that the topic does not take at once.
    ///
    /// - Returns: `nil` if there is no such topic.
    package func publish(
        _ staged: borrowing StagedPublishes,
        time: Timestamp,
        origin: UInt32
    ) -> StagedPublishes.Result? {
        guard let topic = topic(named: staged.topic) else { return nil }
        let messages = staged.messages
        let (outcome, refusal) = topic.publish(
            messages,
            time: time,
            origin: origin,
            by: mailbox,
            wakeups: &wakeups,
            commit: &newestCommit
        )
        if let outcome { finish(outcome, of: topic) }
        if let refusal { finish(refusal, of: topic) }
        var result = StagedPublishes.Result(topic: topic, outcome: outcome, refusal: refusal)
        if case .uncommitted = outcome { result.commit = newestCommit }
        return result
    }

    /// Publishes all of `publications` or none, with their ids, keys and lifetimes.
    package func publish(
        _ publications: [Publication],
        toTopicNamed name: UnsafeRawBufferPointer,
        time: Timestamp,
        origin: UInt32
    ) -> PublishResult {
        while let topic = topic(named: name) {
            let outcome = publish(publications, to: topic, time: time, origin: origin)
            if outcome != .deleted { return PublishResult(topic: topic, outcome: outcome) }
        }
        return PublishResult(topic: nil, outcome: .deleted)
    }

    /// Publishes to exactly this topic, even if another topic has its name by now.
    package func publish(
        _ publications: [Publication],
        to topic: Topic,
        time: Timestamp,
        origin: UInt32
    ) -> PublishOutcome {
        let outcome = topic.publish(
            publications,
            time: time,
            origin: origin,
            by: mailbox,
            wakeups: &wakeups,
            commit: &newestCommit
        )
        finish(outcome, of: topic)
        return outcome
    }

    private func finish(_ outcome: PublishOutcome, of topic: Topic) {
        switch outcome {
        case .published(let receipt):
            counters.published += UInt64(receipt.count)
            counters.matched += UInt64(receipt.count * receipt.subscribers)
            counters.duplicates += UInt64(receipt.duplicates)
        case .uncommitted:
            // Counted when it is settled.
            if uncommitted.last !== topic { uncommitted.append(topic) }
            requestTurn()
        case .deleted:
            cache.forget(topic)
        case .rateLimited:
            counters.rateLimited += 1
        case .held:
            counters.held += 1
            sendWakeups()
            wakeOthers()
        case .throttled, .needsPublication:
            break
        }
        if !wakeups.isEmpty { sendWakeups() }
    }
}
