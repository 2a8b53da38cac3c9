import ApusProtocol

// Publishers that wait for throttling subscriptions or for other loops, and the subscriptions that they wait for.

extension Hub {
    /// Registers a publisher that has to wait. The hub tells it when `topic` may accept a publish.
    ///
    /// - Parameter outcome: the outcome of its publish, ``PublishOutcome/throttled`` or ``PublishOutcome/held``.
    package func wait(_ publisher: any WaitingPublisher, for topic: Topic, _ outcome: PublishOutcome) {
        waiting[ObjectIdentifier(topic), default: WaitingPublishers(topic: topic)].all
            .append((publisher, isHeld: outcome == .held))
    }

    /// Removes a waiting publisher whose connection has closed.
    package func stopWaiting(_ publisher: any WaitingPublisher, for topic: Topic) {
        let key = ObjectIdentifier(topic)
        waiting[key]?.all.removeAll { $0.publisher === publisher }
        if waiting[key]?.all.isEmpty == true { waiting[key] = nil }
    }

    /// Lets the publishers that wait for `topic` try again, in the order of arrival.
    func resumePublishers(of topic: Topic) {
        let key = ObjectIdentifier(topic)
        var queue = (waiting.removeValue(forKey: key)?.all ?? [])[...]
        while let (publisher, _) = queue.popFirst() {
            publisher.publishAgain()
            // The publisher must wait again, and so would the others. They go before it. Its attempt has registered
            // this hub again.
            if let again = waiting[key]?.all {
                waiting[key]?.all = Array(queue) + again
                return
            }
        }
    }

    /// Lets publishers continue that have waited for another loop for at least `timeout` milliseconds.
    package func passOverStuckLoops(timeout: Int64) {
        for waiting in waiting.values { waiting.topic.passOverStuck(for: timeout) }
    }

    /// Ends throttling subscriptions that have stayed at their bound for `timeout` without accepting a message.
    ///
    /// - Parameters:
    ///   - now: a monotonic time in milliseconds.
    ///   - timeout: in milliseconds.
    package func cutStalled(now: Int64, timeout: Int64) {
        for reader in topics {
            guard let reader, reader.throttling > 0 else { continue }
            for subscription in Array(reader.subscriptions) where subscription.overflow.canHoldPublishers {
                checkStalled(subscription, now: now, timeout: timeout)
            }
        }
    }

    private func checkStalled(_ subscription: Subscription, now: Int64, timeout: Int64) {
        let isHolding = subscription.overflow.holdsPublishers(
            subscription.backlog,
            isFull: subscription.topic.isFull
        )
        guard subscription.isActive, isHolding else {
            subscription.stall.released()
            return
        }
        subscription.counts.throttledTime += subscription.stall.held(at: now)
        let taken = subscription.subscriber.lastTaken(now: now)
        let cursor = subscription.cursor
        carryOut(subscription.stall.check(at: cursor, taken: taken, now: now, timeout: timeout), on: subscription)
    }
}

/// The publishers that wait for a topic, first come, first served.
struct WaitingPublishers {
    let topic: Topic
    /// `isHeld`: whether the publisher waits for a loop rather than for a subscription.
    var all: [(publisher: any WaitingPublisher, isHeld: Bool)] = []
}
