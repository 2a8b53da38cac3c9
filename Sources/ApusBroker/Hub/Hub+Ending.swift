import ApusProtocol
import DequeModule

// How subscriptions end.

/// What subscribers that have closed leave behind, until the hub clears it up.
struct Leaving {
    var subscriptions = Deque<(subscription: Subscription, reason: EndReason)>()
    /// Those that the broker still has. The hub does not know them any more.
    var filters = Deque<FilterID>()

    var isEmpty: Bool { subscriptions.isEmpty && filters.isEmpty }
}

extension Hub {
    /// Ends all subscriptions of a subscriber whose connection has closed.
    ///
    /// From now on they get nothing more. If there are more of them than ``TurnLimits/endings``, the next turns take
    /// the others out of their topics.
    package func removeAll(of subscriber: any Subscriber, reason: EndReason = .disconnected) {
        guard !subscriber.subscriptions.isEmpty else { return }
        let (all, filters) = subscriber.subscriptions.takeAll()
        for filter in filters {
            patterns[filter] = nil
            waits[filter] = nil
        }
        if waits.isEmpty { waits = [:] }
        leaving.filters += filters
        for subscription in all where subscription.isActive {
            subscription.isActive = false
            subscription.isLeaving = true
            leaving.subscriptions.append((subscription, reason))
        }
        clearUp()
        if !leaving.isEmpty { requestTurn() }
    }

    /// Clears up after subscribers that have closed, as far as one turn goes.
    func clearUp() {
        while endingsLeft > 0, let filter = leaving.filters.popFirst() {
            endingsLeft -= 1
            broker.removeFilter(filter)
        }
        while endingsLeft > 0, let (subscription, reason) = leaving.subscriptions.popFirst() {
            endingsLeft -= 1
            // To list those that later ones replace in the list would only take time.
            leave(subscription, reason, isListed: leaving.subscriptions.count < GoneSubscriptions.limit)
        }
        if leaving.isEmpty { leaving = Leaving() }
    }

    func end(_ subscription: Subscription, _ reason: EndReason) {
        guard subscription.isActive else { return }
        subscription.isActive = false
        subscription.subscriber.subscriptions.remove(subscription)
        leave(subscription, reason)
    }

    /// Takes a subscription that is no longer active out of its topic.
    private func leave(_ subscription: Subscription, _ reason: EndReason, isListed: Bool = true) {
        subscription.isLeaving = false
        if subscription.archive != nil { endArchive(of: subscription) }
        let reader = subscription.reader
        if subscription.overflow.canHoldPublishers {
            reader.throttling -= 1
            markDirty(slot: reader.slot)
        }
        if subscription.options.presence { reader.topic.watch(mailbox, slot: reader.slot, change: -1) }
        // When a topic is deleted, no subscriber is said to leave.
        if reason != .topicDeleted { announce(subscription, hasJoined: false) }
        subscription.start.predecessors = nil
        wakeSuccessors(of: subscription)
        if reason != .answered, isListed { gone.add(subscription, reason: reason, now: clock().wall) }
        if reader.isDraining {
            reader.ended.append(subscription)
        } else {
            takeOut(subscription)
            let head = reader.topic.detach(mailbox, count: 1)
            recordUndelivered(subscription, head: head)
            // What the log keeps for this subscription only has to go now: the next publication may be far away.
            if subscription.cursor < head { markDirty(slot: reader.slot) }
            releaseIfUnused(reader)
        }
    }

    /// Counts the messages that a subscription missed because it ended.
    func recordUndelivered(_ subscription: Subscription, head: Offset) {
        let pending = subscription.pending(to: head)
        counters.droppedEnded += pending
        if pending > 0 { exemplify(.ended, pending, subscription) }
    }
}
