import ApusProtocol
import NIOCore

// How a hub brings its subscriptions to the head of their logs: the hot path of fan-out.

extension Hub {
    /// Brings all subscriptions of a topic up to its head, as far as their sockets take it.
    func drain(_ source: HubTopic) {
        // One that was given up since it was marked must not speak for its topic: another may have taken its place.
        guard !source.subscriptions.isEmpty else { return }
        look(at: source)
        source.isDraining = true
        let progress = deliver(source)
        source.isDraining = false
        source.low = progress.low
        // Who still needs it asks the topic, which goes on with a batch that nobody holds.
        source.newest = nil
        source.topic.endDrain(mailbox, progress)
        if !source.ended.isEmpty { removeEnded(of: source) }
    }

    private func deliver(_ source: HubTopic) -> Topic.Progress {
        var progress = Topic.Progress(low: source.head)
        var portion = Portion(of: source)
        for subscription in source.subscriptions where subscription.isActive {
            if !deliver(&portion, to: subscription) {
                pump(subscription)
                // One that reads and waits for its predecessor is not slow: the predecessor's turn is yet to come.
                let waits = subscription.predecessors != nil && takesMore(subscription.subscriber)
                if subscription.cursor < source.head, !waits { enforceBound(of: subscription) }
            }
            guard subscription.isActive else { continue }
            progress.low = min(progress.low, subscription.cursor)
            if subscription.options.overflow == .throttle {
                let start = max(subscription.cursor, subscription.replayEnd)
                progress.gate = min(progress.gate, start + UInt64(subscription.options.queue))
                progress.spared = min(progress.spared, subscription.cursor)
            }
        }
        return progress
    }

    /// Delivers what nearly every subscription gets of a drain, in a fraction of the steps that ``pump(_:)`` takes to
    /// see to everything.
    ///
    /// - Returns: whether the subscription has come to the head with that. Where there is anything to see to, nothing
    ///   is done.
    @inline(__always)
    private func deliver(_ portion: inout Portion, to subscription: Subscription) -> Bool {
        let subscriber = subscription.subscriber
        guard subscription.cursor == portion.first, subscription.isPlain, subscriber.isWritable else { return false }
        let frames = portion.frames(for: subscription)
        record(subscription, to: portion.end)
        subscription.isLagging = false
        subscription.isWarned = false
        isPumping = true
        subscriber.deliver(frames)
        isPumping = false
        return subscription.cursor >= subscription.source.head
    }

    /// Whether the subscriber takes more, where what was delivered in this turn may be all that is in the way. A
    /// resumption that this causes can wait.
    func takesMore(_ subscriber: any Subscriber) -> Bool {
        guard !subscriber.isWritable else { return true }
        isPumping = true
        subscriber.flush()
        isPumping = false
        return subscriber.isWritable
    }

    /// Delivers slices until the subscription is at the head or its subscriber takes no more.
    func pump(_ subscription: Subscription) {
        let source = subscription.source
        let subscriber = subscription.subscriber
        guard !subscription.isHeld || open(subscription) else {
            // Who reads, and only waits for a predecessor's turn, is not behind.
            if !takesMore(subscriber) { subscription.isLagging = true }
            return
        }
        isPumping = true
        defer { isPumping = false }
        while subscription.isActive, subscription.cursor < source.head {
            if !subscriber.isWritable {
                // What was delivered in this turn may be all that is in the way.
                subscriber.flush()
                guard subscriber.isWritable, subscription.isActive else {
                    subscription.isLagging = true
                    if subscription.burst == nil { spare(subscription) }
                    return
                }
            }
            guard let batch = batch(for: subscription) else {
                // It was moved on, or is being cut off.
                continue
            }
            if subscription.dropped > 0 { announceDropped(subscription) }
            guard subscription.isActive else { return }
            deliver(batch, to: subscription)
        }
        guard subscription.isActive else { return }
        subscription.isLagging = false
        subscription.isWarned = false
        subscription.burst = nil
        if subscription.dropped > 0, subscriber.isWritable { announceDropped(subscription) }
        if source.isDeleted, subscription.dropped == 0, subscription.isActive {
            if !subscriber.isWritable { subscriber.flush() }
            // Also of ends there are not to be more than the subscriber takes.
            guard subscriber.isWritable, subscription.isActive else { return }
            let waits = subscription.waiting != nil
            end(subscription, .topicDeleted)
            subscriber.notify(
                .topicDeleted(source.topic, byPattern: subscription.pattern != nil, waits: waits)
            )
        }
    }

    private func deliver(_ batch: Batch, to subscription: Subscription) {
        if batch.details != nil || !subscription.options.echo || !subscription.holes.isEmpty {
            return deliverSelected(of: batch, to: subscription)
        }
        let slice = subscription.slice(of: batch)
        record(subscription, to: batch.end)
        subscription.subscriber.deliver(slice)
    }

    /// Takes note of a delivery: before the subscriber is called, who may end the subscription.
    @inline(__always)
    private func record(_ subscription: Subscription, to end: Offset) {
        let count = end - subscription.cursor
        subscription.cursor = end
        subscription.deliveredCount += count
        counters.delivered += count
    }

    /// The batch the subscription reads next; `nil` when that is gone and the cursor was moved to what is kept, or
    /// there is a hole.
    private func batch(for subscription: Subscription) -> Batch? {
        let source = subscription.source
        if let hole = subscription.holes.first, hole.lowerBound <= subscription.cursor {
            passHole(subscription)
            return nil
        }
        if let newest = source.newest, newest.first <= subscription.cursor, subscription.cursor < newest.end {
            return newest
        }
        switch source.topic.batch(at: subscription.cursor) {
        case .success(let batch):
            return batch
        case .failure(let missing):
            switch subscription.options.overflow {
            case .disconnect, .throttle:
                cutOff(subscription)
            case .dropOldest, .dropNewest, .latest:
                let next = max(missing.firstKept, subscription.cursor + 1)
                counters.droppedBytes += skip(subscription, to: min(next, source.head))
            }
            return nil
        }
    }

    /// Ends a subscription whose policy says that it must go, and tells its subscriber to go with it.
    func cutOff(_ subscription: Subscription) {
        end(subscription, .slowConsumer)
        subscription.subscriber.notify(.slowConsumer(subscription.topic))
    }

    private func announceDropped(_ subscription: Subscription) {
        let count = subscription.dropped
        let range = subscription.droppedRange
        subscription.dropped = 0
        let isTold = subscription.options.detail == .positioned && !range.isEmpty
        subscription.subscriber.notify(
            .messagesDropped(subscription.topic, count: count, range: isTold ? ClosedRange(range) : nil)
        )
    }
}
