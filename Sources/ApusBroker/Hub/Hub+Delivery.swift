import ApusProtocol
import NIOCore

// How a hub brings its subscriptions to the head of their logs: the hot path of fan-out.

extension Hub {
    /// Brings all subscriptions of a topic up to its head, as far as their sockets take it.
    func drain(_ reader: TopicReader) {
        // One that was given up since it was marked must not speak for its topic: another may have taken its place.
        guard !reader.subscriptions.isEmpty else { return }
        refresh(reader)
        reader.isDraining = true
        let progress = deliver(reader)
        reader.isDraining = false
        reader.lowWaterMark = progress.lowWaterMark
        // Who still needs it asks the topic, which goes on with a batch that nobody holds.
        reader.newest = nil
        reader.topic.endDrain(mailbox, progress)
        if !reader.ended.isEmpty { removeEnded(of: reader) }
    }

    private func deliver(_ reader: TopicReader) -> Topic.Progress {
        var progress = Topic.Progress(lowWaterMark: reader.head)
        var shared = SharedSlice(of: reader)
        for subscription in reader.subscriptions where subscription.isActive {
            if !deliver(&shared, to: subscription) {
                pump(subscription)
                // One that reads and waits for its predecessor is not slow: the predecessor's turn is yet to come.
                let waits = subscription.predecessors != nil && takesMore(subscription.subscriber)
                if subscription.cursor < reader.head, !waits { enforceBound(of: subscription) }
            }
            guard subscription.isActive else { continue }
            progress.lowWaterMark = min(progress.lowWaterMark, subscription.cursor)
            if subscription.options.overflow == .throttle {
                let start = max(subscription.cursor, subscription.replayEnd)
                progress.publishLimit = min(progress.publishLimit, start + UInt64(subscription.options.queue))
                progress.retainFrom = min(progress.retainFrom, subscription.cursor)
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
    private func deliver(_ shared: inout SharedSlice, to subscription: Subscription) -> Bool {
        let subscriber = subscription.subscriber
        guard subscription.cursor == shared.first, subscription.isPlain, subscriber.isWritable else { return false }
        let frames = shared.frames(for: subscription)
        record(subscription, to: shared.end)
        subscription.isLagging = false
        subscription.isWarned = false
        isPumping = true
        subscriber.deliver(frames)
        isPumping = false
        return subscription.cursor >= subscription.reader.head
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
        let reader = subscription.reader
        let subscriber = subscription.subscriber
        guard !subscription.isHeld || open(subscription) else {
            // Who reads, and only waits for a predecessor's turn, is not behind.
            if !takesMore(subscriber) { subscription.isLagging = true }
            return
        }
        isPumping = true
        defer { isPumping = false }
        while subscription.isActive, subscription.cursor < reader.head {
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
        if reader.isDeleted, subscription.dropped == 0, subscription.isActive {
            if !subscriber.isWritable { subscriber.flush() }
            // Also of ends there are not to be more than the subscriber takes.
            guard subscriber.isWritable, subscription.isActive else { return }
            let waits = subscription.waiting != nil
            end(subscription, .topicDeleted)
            subscriber.notify(
                .topicDeleted(reader.topic, byPattern: subscription.pattern != nil, waits: waits)
            )
        }
    }

    private func deliver(_ batch: Batch, to subscription: Subscription) {
        if batch.details != nil || !subscription.options.echo || !subscription.skippedRanges.isEmpty {
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
        let reader = subscription.reader
        if let skippedRange = subscription.skippedRanges.first, skippedRange.lowerBound <= subscription.cursor {
            passHole(subscription)
            return nil
        }
        if let newest = reader.newest, newest.first <= subscription.cursor, subscription.cursor < newest.end {
            return newest
        }
        switch reader.topic.batch(at: subscription.cursor) {
        case .success(let batch):
            return batch
        case .failure(let missing):
            switch subscription.options.overflow {
            case .disconnect, .throttle:
                cutOff(subscription)
            case .dropOldest, .dropNewest, .latest:
                let next = max(missing.firstKept, subscription.cursor + 1)
                counters.droppedBytes += skip(subscription, to: min(next, reader.head))
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
