import ApusProtocol

// Carries out what the policy of a subscription demands.

extension Hub {
    /// Applies the overflow policy to a subscription that is behind because its subscriber accepts no more.
    func enforceBound(of subscription: Subscription) {
        guard subscription.isActive else { return }
        let backlog = subscription.backlog
        carryOut(subscription.overflow.warning(of: backlog), on: subscription)
        // The subscriber may have ended the subscription when it was warned.
        guard subscription.isActive else { return }
        carryOut(subscription.overflow.excess(of: backlog), on: subscription)
    }

    func carryOut(_ action: Overflow.Action?, on subscription: Subscription) {
        guard let action else { return }
        let head = subscription.reader.head
        switch action {
        case .skip(let offset, let cause):
            skip(subscription, to: offset, cause)
        case .skipNewest(let count):
            noteSkipped(
                subscription.skippedRanges.skipNewest(count, cursor: subscription.cursor, head: head),
                by: subscription
            )
        case .skipAll(let room):
            let start = max(subscription.cursor, subscription.lag.start)
            noteSkipped(
                subscription.skippedRanges.skipAll(beyond: room, from: start, to: head),
                by: subscription
            )
        case .countLive(let bound):
            let start = max(subscription.cursor, subscription.lag.start)
            let live = subscription.topic.liveSpan(from: subscription.cursor, start: start, bound: bound)
            carryOut(subscription.overflow.counted(live, head: head), on: subscription)
        case .skipSuperseded(let offset, let dropped):
            skipSuperseded(subscription, to: offset, dropped: dropped)
        case .warn(let lag, let queue):
            subscription.lag.noteWarning()
            subscription.subscriber.notify(.slowConsumerWarning(subscription.topic, lag: lag, queue: Int(queue)))
        case .disconnect:
            end(subscription, .slowConsumer)
            subscription.subscriber.notify(.slowConsumer(subscription.topic))
        }
    }

    /// The last skipped range has so many messages more.
    private func noteSkipped(_ added: UInt64, by subscription: Subscription) {
        counters.droppedNewest += added
        guard added > 0, let range = subscription.skippedRanges.last else { return }
        note(range, count: added, .queueFull, on: subscription)
        exemplify(.dropNewest, added, subscription)
    }

    private func skip(_ subscription: Subscription, to offset: Offset, _ cause: Overflow.Cause) {
        // The counters already include messages that were in a skipped range. The subscriber misses them all.
        let count = subscription.pending(to: offset)
        switch cause {
        case .queue: counters.droppedOldest += count
        case .bytes: counters.droppedBytes += count
        }
        let missed = offset - subscription.cursor
        note(
            subscription.cursor..<offset,
            count: missed,
            cause == .queue ? .queueFull : .logFull,
            on: subscription
        )
        exemplify(cause == .queue ? .dropOldest : .topicBytes, missed, subscription)
        subscription.miss(missed, before: offset)
        subscription.pass(to: offset)
    }

    private func skipSuperseded(_ subscription: Subscription, to offset: Offset, dropped: UInt64) {
        let pending = subscription.pending(to: offset)
        let range = subscription.cursor..<offset
        if dropped > 0 {
            note(range, count: dropped, .queueFull, on: subscription)
            exemplify(.dropOldest, dropped, subscription)
        } else {
            note(range, count: pending, .superseded, on: subscription)
        }
        subscription.miss(dropped, before: offset)
        subscription.pass(to: offset)
        // The counters already include messages that were in a skipped range.
        counters.droppedOldest += min(dropped, pending)
        counters.conflated += pending - min(dropped, pending)
    }

    /// Moves the cursor past the skipped range that it has reached. The counters have included the range from the
    /// start.
    ///
    /// - Returns: `false` when the cursor is not at a skipped range.
    func passSkippedRange(_ subscription: Subscription) -> Bool {
        guard let range = subscription.skippedRanges.takeFirst(reachedBy: subscription.cursor) else { return false }
        guard subscription.cursor < range.upperBound else { return true }
        subscription.miss(range.upperBound - subscription.cursor, before: range.upperBound)
        subscription.cursor = range.upperBound
        return true
    }

    // MARK: Bursts

    /// Records that a subscription that kept up was offered more at once than its socket accepts.
    ///
    /// Such a subscription is slow only if the socket stops accepting data.
    func spare(_ subscription: Subscription) {
        guard subscription.topic.isPaced else { return }
        subscription.lag.burst = Burst(end: subscription.reader.head)
        bursts.append(subscription)
    }

    /// Counts a burst as lag if the subscriber has accepted nothing between the last call and this one.
    package func endBursts() {
        guard !bursts.isEmpty else { return }
        var delivered: [ObjectIdentifier: UInt64] = [:]
        bursts.removeAll { subscription in
            guard let burst = subscription.lag.burst, subscription.isActive, subscription.cursor < burst.end else {
                return true
            }
            let subscriber = subscription.subscriber
            let now =
                delivered[ObjectIdentifier(subscriber)]
                ?? subscriber.subscriptions.all.reduce(0) { $0 &+ $1.counts.delivered }
            delivered[ObjectIdentifier(subscriber)] = now
            guard burst.delivered == now else {
                subscription.lag.burst?.delivered = now
                return false
            }
            subscription.lag.burst?.end = 0
            carryOut(subscription.overflow.burstEnded(), on: subscription)
            markDirty(slot: subscription.reader.slot)
            return true
        }
    }
}
