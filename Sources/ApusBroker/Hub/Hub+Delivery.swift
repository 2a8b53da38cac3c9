import ApusProtocol
import NIOCore

// How a hub brings its subscriptions to the head of their logs: the hot path of fan-out.

extension Hub {
    func look(at source: HubTopic) {
        let view = source.topic.beginDrain(mailbox)
        source.head = view.head
        source.newest = view.newest
        source.isDeleted = view.isDeleted
    }

    /// The subscriptions of the same subscriber to topics that had the same name and are gone.
    func predecessors(of subscription: Subscription) -> [Subscription] {
        let topic = subscription.topic
        guard hasPredecessor(topic) else { return [] }
        let predecessors = subscription.subscriber.subscriptions.all.filter {
            $0.topic !== topic && $0.topic.nameBytes == topic.nameBytes
        }
        for predecessor in predecessors { look(at: predecessor.source) }
        return predecessors
    }

    /// Brings a subscription's predecessors to their end, as far as the socket takes it, and says whether it may start.
    private func finishPredecessors(of subscription: Subscription) -> Bool {
        for predecessor in subscription.predecessors where predecessor.isActive { pump(predecessor) }
        subscription.predecessors.removeAll { !$0.isActive }
        return subscription.predecessors.isEmpty
    }

    /// Brings all subscriptions of a topic up to its head, as far as their sockets take it.
    func drain(_ source: HubTopic) {
        // One that was given up since it was marked must not speak for its topic: another may have taken its place.
        guard !source.subscriptions.isEmpty else { return }
        look(at: source)
        source.isDraining = true
        var low = source.head
        var gate = Offset.max
        for subscription in source.subscriptions where subscription.isActive {
            pump(subscription)
            if subscription.cursor < source.head { enforceBound(of: subscription) }
            guard subscription.isActive else { continue }
            low = min(low, subscription.cursor)
            if subscription.options.overflow == .throttle {
                gate = min(gate, max(subscription.cursor, subscription.replayEnd) + UInt64(subscription.options.queue))
            }
        }
        source.isDraining = false
        source.topic.endDrain(mailbox, low: low, gate: gate)
        if source.hasEndedSubscriptions { removeEnded(of: source) }
    }

    private func removeEnded(of source: HubTopic) {
        source.hasEndedSubscriptions = false
        let before = source.subscriptions.count
        source.subscriptions.removeAll { !$0.isActive }
        for (index, subscription) in source.subscriptions.enumerated() { subscription.topicIndex = index }
        source.topic.detach(mailbox, count: before - source.subscriptions.count)
        releaseIfUnused(source)
    }

    /// Delivers slices until the subscription is at the head or its subscriber takes no more.
    func pump(_ subscription: Subscription) {
        let source = subscription.source
        let subscriber = subscription.subscriber
        guard subscription.predecessors.isEmpty || finishPredecessors(of: subscription) else { return }
        isPumping = true
        defer { isPumping = false }
        while subscription.isActive, subscription.cursor < source.head {
            if !subscriber.isWritable {
                // What was delivered in this turn may be all that is in the way.
                subscriber.flush()
                guard subscriber.isWritable, subscription.isActive else { return }
            }
            guard let batch = batch(for: subscription) else {
                // It was moved on, or is being cut off.
                continue
            }
            if subscription.dropped > 0 { announceDropped(subscription) }
            guard subscription.isActive else { return }
            subscriber.deliver(batch.slice(from: subscription.cursor, in: subscriber.dialect))
            subscription.cursor = batch.end
        }
        if subscription.dropped > 0, subscriber.isWritable { announceDropped(subscription) }
        if source.isDeleted, subscription.dropped == 0, subscription.isActive {
            end(subscription)
            subscriber.notify(.topicDeleted(source.topic))
        }
    }

    /// The batch the subscription reads next; `nil` when that is gone and the cursor was moved to what is kept.
    private func batch(for subscription: Subscription) -> Batch? {
        let source = subscription.source
        if let newest = source.newest, newest.first <= subscription.cursor, subscription.cursor < newest.end {
            return newest
        }
        switch source.topic.batch(at: subscription.cursor) {
        case .success(let batch):
            return batch
        case .failure where subscription.options.overflow != .dropOldest:
            cutOff(subscription)
            return nil
        case .failure(let missing):
            let next = max(missing.firstKept, subscription.cursor + 1)
            skip(subscription, to: min(next, source.head))
            return nil
        }
    }

    /// Applies the overflow policy to a subscription that is behind because its subscriber takes no more.
    private func enforceBound(of subscription: Subscription) {
        let head = subscription.source.head
        let bound = UInt64(subscription.options.queue)
        guard subscription.isActive, subscription.lag(to: head) > bound else { return }
        switch subscription.options.overflow {
        case .dropOldest:
            skip(subscription, to: head - bound)
        case .disconnect:
            cutOff(subscription)
        case .throttle:
            // Publishers wait at the bound: only its own replay, or a bound on bytes, can have brought it here.
            break
        }
    }

    /// Ends a subscription whose policy says that it must go, and tells its subscriber to go with it.
    func cutOff(_ subscription: Subscription) {
        end(subscription)
        subscription.subscriber.notify(.slowConsumer(subscription.topic))
    }

    private func skip(_ subscription: Subscription, to offset: Offset) {
        subscription.dropped += offset - subscription.cursor
        subscription.cursor = offset
    }

    private func announceDropped(_ subscription: Subscription) {
        let count = subscription.dropped
        subscription.dropped = 0
        subscription.subscriber.notify(.messagesDropped(subscription.topic, count: count))
    }
}
