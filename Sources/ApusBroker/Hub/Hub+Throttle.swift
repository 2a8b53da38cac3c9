import ApusProtocol

// Publishers that wait under the throttle policy, and the subscriptions they wait for.

extension Hub {
    /// Has `publisher` told when `topic`, which put it off, may have room.
    ///
    /// - Parameter outcome: what came of its publish, ``PublishOutcome/throttled`` or ``PublishOutcome/held``.
    public func wait(_ publisher: any WaitingPublisher, for topic: Topic, _ outcome: PublishOutcome) {
        waiting[ObjectIdentifier(topic), default: WaitingPublishers(topic: topic)].all
            .append((publisher, isHeld: outcome == .held))
    }

    /// Forgets a publisher that waits, because its connection ends.
    public func stopWaiting(_ publisher: any WaitingPublisher, for topic: Topic) {
        let key = ObjectIdentifier(topic)
        waiting[key]?.all.removeAll { $0.publisher === publisher }
        if waiting[key]?.all.isEmpty == true { waiting[key] = nil }
    }

    /// Lets the publishers that wait for `topic` try again, in the order in which they came.
    func resumePublishers(of topic: Topic) {
        let key = ObjectIdentifier(topic)
        var queue = (waiting.removeValue(forKey: key)?.all ?? [])[...]
        while let (publisher, _) = queue.popFirst() {
            publisher.publishAgain()
            // Put off again, and so would the rest be. They go before it; its try has registered this hub once more.
            if let again = waiting[key]?.all {
                waiting[key]?.all = Array(queue) + again
                return
            }
        }
    }

    /// Lets publishers go on that have waited for another loop for longer than `timeout` milliseconds.
    public func passOverStuckLoops(timeout: Int64) {
        for waiting in waiting.values { waiting.topic.passOverStuck(for: timeout) }
    }

    /// Cuts throttling subscriptions that have stood at their bound for `timeout` without taking a message.
    ///
    /// - Parameters:
    ///   - now: a monotonic time in milliseconds.
    ///   - timeout: in milliseconds.
    public func cutStalled(now: Int64, timeout: Int64) {
        for reader in topics {
            guard let reader, reader.throttling > 0 else { continue }
            for subscription in Array(reader.subscriptions) where subscription.options.overflow == .throttle {
                checkStalled(subscription, now: now, timeout: timeout)
            }
        }
    }

    private func checkStalled(_ subscription: Subscription, now: Int64, timeout: Int64) {
        let reader = subscription.reader
        let isAtBound = subscription.lag(to: reader.head) >= UInt64(subscription.options.queue)
        guard subscription.isActive, isAtBound || subscription.cursor < reader.head && reader.topic.isFull else {
            subscription.stalled = nil
            subscription.throttledAt = nil
            return
        }
        subscription.throttledTime += now - (subscription.throttledAt ?? now)
        subscription.throttledAt = now
        let taken = subscription.subscriber.lastTaken(now: now)
        guard let stalled = subscription.stalled, stalled.cursor == subscription.cursor, stalled.since >= taken else {
            subscription.stalled = (subscription.cursor, now)
            return
        }
        if now - stalled.since >= timeout {
            cutOff(subscription)
        }
    }
}

/// Who waits for a topic, first come first served.
struct WaitingPublishers {
    let topic: Topic
    /// Whether it is a loop that is waited for, or a subscription.
    var all: [(publisher: any WaitingPublisher, isHeld: Bool)] = []
}
