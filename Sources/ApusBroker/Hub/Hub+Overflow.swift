import ApusProtocol
import DequeModule

// What happens to subscriptions that exceed the bound on their lag.

extension Hub {
    /// Applies the overflow policy to a subscription that is behind because its subscriber accepts no more.
    func enforceBound(of subscription: Subscription) {
        let head = subscription.reader.head
        let bound = UInt64(subscription.options.queue)
        let lag = subscription.lag(to: head)
        guard subscription.isActive else { return }
        if subscription.options.overflow == .disconnect { warn(subscription, lag: lag) }
        guard subscription.isActive, lag > bound else { return }
        switch subscription.options.overflow {
        case .dropOldest:
            counters.droppedOldest += skip(subscription, to: head - bound)
        case .dropNewest:
            holdBack(lag - bound, of: subscription, head: head)
        case .latest:
            dropOldestLive(of: subscription, head: head)
        case .disconnect:
            cutOff(subscription)
        case .throttle:
            // Publishers wait at the bound. Only the subscription's own replay or a bound in bytes can have brought it
            // here.
            break
        }
    }

    /// Records that a subscription that kept up was offered more at once than its socket accepts.
    ///
    /// Such a subscription is slow only if the socket stops accepting data.
    func spare(_ subscription: Subscription) {
        guard subscription.topic.isPaced else { return }
        subscription.burst = Burst(end: subscription.reader.head)
        bursts.append(subscription)
    }

    /// Counts a burst as lag if the subscriber has accepted nothing between the last call and this one.
    package func endBursts() {
        guard !bursts.isEmpty else { return }
        var delivered: [ObjectIdentifier: UInt64] = [:]
        bursts.removeAll { subscription in
            guard let burst = subscription.burst, subscription.isActive, subscription.cursor < burst.end else {
                return true
            }
            let subscriber = subscription.subscriber
            let now =
                delivered[ObjectIdentifier(subscriber)]
                ?? subscriber.subscriptions.all.reduce(0) { $0 &+ $1.deliveredCount }
            delivered[ObjectIdentifier(subscriber)] = now
            guard burst.delivered == now else {
                subscription.burst?.delivered = now
                return false
            }
            subscription.burst?.end = 0
            subscription.nextCount = 0
            if subscription.options.overflow == .dropNewest { holdBackBurst(of: subscription) }
            markDirty(slot: subscription.reader.slot)
            return true
        }
    }

    /// Under drop-newest: skips the part of the burst that does not fit into the queue, like other excess messages.
    private func holdBackBurst(of subscription: Subscription) {
        let head = subscription.reader.head
        var (start, room) = (max(subscription.cursor, subscription.lagStart), UInt64(subscription.options.queue))
        for skippedRange in subscription.skippedRanges where skippedRange.upperBound > start {
            let pending = skippedRange.lowerBound > start ? skippedRange.lowerBound - start : 0
            guard pending < room else { break }
            room -= pending
            start = skippedRange.upperBound
        }
        start += room
        guard start < head else { return }
        counters.droppedNewest += head - start - subscription.heldBack(from: start, to: head)
        subscription.skippedRanges = subscription.skippedRanges.filter { $0.lowerBound < start }
        if let last = subscription.skippedRanges.popLast() {
            subscription.skippedRanges.append(last.upperBound < start ? last : last.lowerBound..<head)
            if last.upperBound >= start { return }
        }
        subscription.skippedRanges.append(start..<head)
    }

    /// Moves the cursor forward. Returns how many of the passed messages the counters do not include yet.
    func skip(_ subscription: Subscription, to offset: Offset) -> UInt64 {
        let count = subscription.pending(to: offset)
        // The subscriber misses all of these messages, including those that were already in a skipped range.
        note(dropped: offset - subscription.cursor, subscription.cursor..<offset, of: subscription)
        subscription.pass(to: offset)
        return count
    }

    private func note(dropped count: UInt64, _ range: Range<Offset>, of subscription: Subscription) {
        let start = subscription.dropped > 0 ? subscription.droppedRange.lowerBound : range.lowerBound
        subscription.droppedRange = start..<range.upperBound
        subscription.dropped += faults.contains(.dropsSilently) ? 0 : count
        subscription.droppedCount += count
    }

    /// Under drop-newest: skips the newest `count` messages, for which the queue had no room.
    private func holdBack(_ count: UInt64, of subscription: Subscription, head: Offset) {
        let last = subscription.skippedRanges.last
        let start = max(head - count, last?.upperBound ?? 0, subscription.cursor)
        guard start < head else { return }
        counters.droppedNewest += head - start
        if let last, last.upperBound == start {
            subscription.skippedRanges[subscription.skippedRanges.count - 1] = last.lowerBound..<head
        } else {
            subscription.skippedRanges.append(start..<head)
        }
    }

    /// Moves the cursor past the skipped range that it has reached. The counters have included the range from the
    /// start.
    func passHole(_ subscription: Subscription) {
        guard let skippedRange = subscription.skippedRanges.popFirst() else { return }
        let start = max(skippedRange.lowerBound, subscription.cursor)
        guard start < skippedRange.upperBound else { return }
        note(dropped: skippedRange.upperBound - start, start..<skippedRange.upperBound, of: subscription)
        subscription.cursor = skippedRange.upperBound
    }

    /// Under latest: messages that a later one with the same key has superseded take no place in the queue.
    private func dropOldestLive(of subscription: Subscription, head: Offset) {
        guard head >= subscription.nextCount else { return }
        let topic = subscription.topic
        let bound = subscription.options.queue
        let start = max(subscription.cursor, subscription.lagStart)
        let live = topic.liveSpan(from: subscription.cursor, start: start, bound: bound)
        if live.count > bound {
            let pending = subscription.pending(to: live.next)
            let dropped = UInt64(live.passed)
            note(dropped: dropped, subscription.cursor..<live.next, of: subscription)
            subscription.pass(to: live.next)
            // The counters already include messages that were in a skipped range.
            counters.droppedOldest += min(dropped, pending)
            counters.conflated += pending - min(dropped, pending)
        }
        // Each message adds at most one. Counting takes long when many messages are superseded, so it then happens less
        // often. Meanwhile the lag may exceed the bound by as many messages.
        subscription.nextCount = head + UInt64(max(bound - live.count, live.batches / 64, 0)) + 1
    }

    /// Warns an extended subscription at 80 % of its bound, once until it catches up.
    private func warn(_ subscription: Subscription, lag: UInt64) {
        let queue = subscription.options.queue
        guard subscription.options.detail != .plain, !subscription.isWarned, lag >= UInt64(queue) - UInt64(queue) / 5
        else {
            return
        }
        subscription.isWarned = true
        subscription.subscriber.notify(.slowConsumerWarning(subscription.topic, lag: lag, queue: queue))
    }
}
