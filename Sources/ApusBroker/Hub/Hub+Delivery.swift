import ApusProtocol
import NIOCore

// How a hub brings its subscriptions to the head of their logs: the hot path of fan-out.

extension Hub {
    /// Brings all subscriptions of a topic to the head, as far as their sockets accept data.
    ///
    /// If that is too much for one turn, it goes on in the next.
    ///
    /// - Parameter taken: when the oldest message was taken that may be new in the topic.
    func drain(_ reader: TopicReader, _ taken: UInt64) {
        // The reader may have been released after it was marked dirty. Another reader may read the topic now.
        guard !reader.subscriptions.isEmpty else { return }
        let begun = reader.part.take()
        if begun == nil { refresh(reader) }
        var part = begun ?? DrainPart(progress: Topic.Progress(lowWaterMark: reader.head))
        if spanWatch != nil { watch(reader, isFirst: begun == nil) }
        reader.isDraining = true
        let isDone = deliverNews(of: reader, &part)
        reader.isDraining = false
        if spanWatch != nil { noteDelivered(of: reader, isDone: isDone) }
        guard isDone else {
            if begun == nil { reader.partTaken = taken }
            return goOn(with: reader, part, isFirst: begun == nil)
        }
        rounds.finish(begun == nil ? taken : reader.partTaken)
        reader.lowWaterMark = part.progress.lowWaterMark
        // Others get the batch from the topic, which can reopen it only if nobody holds it.
        reader.newest = nil
        reader.topic.endDrain(mailbox, part.progress)
        if !reader.ended.isEmpty { removeEnded(of: reader) }
        if part.hasNews {
            rounds.postpone(reader.newsTaken)
            reader.newsTaken = DeliveryRounds.none
            markDirty(slot: reader.slot)
        }
    }

    private func goOn(with reader: TopicReader, _ part: DrainPart, isFirst: Bool) {
        reader.part = part
        if isFirst { reader.topic.noteParts(of: mailbox) }
        if !reader.ended.isEmpty { removeEnded(of: reader) }
        unfinished.append(reader)
    }

    /// - Returns: whether this was the rest; `false` if the drain goes on in the next turn.
    private func deliverNews(of reader: TopicReader, _ part: inout DrainPart) -> Bool {
        var progress = part.progress
        var shared = SharedSlice(of: reader)
        let throttles = reader.throttling > 0
        let subscriptions = reader.subscriptions
        for index in part.position..<subscriptions.count {
            let subscription = subscriptions[index]
            guard subscription.isActive else { continue }
            guard left > 0 else {
                (part.position, part.progress) = (index, progress)
                return false
            }
            if !deliverShared(&shared, to: subscription) {
                if pump(subscription) {
                    (part.position, part.progress) = (index, progress)
                    return false
                }
                // A subscription that only waits for its predecessor is not slow: the predecessor has not had its turn
                // yet.
                // Nor is one that waits for the journal.
                extendReplay(of: subscription)
                let isReady = subscription.start.predecessors == nil && subscription.archive?.isAsked != true
                let waits = !isReady && takesMore(subscription.subscriber)
                if subscription.cursor < reader.head, !waits { enforceBound(of: subscription) }
                guard subscription.isActive else { continue }
                if subscription.archive == nil {
                    progress.lowWaterMark = min(progress.lowWaterMark, subscription.cursor)
                } else {
                    progress.archiveMark = min(progress.archiveMark, subscription.cursor)
                }
            }
            if throttles, subscription.isActive, let bound = subscription.overflow.publishBound {
                let start = max(subscription.cursor, subscription.lag.replayEnd)
                progress.publishLimit = min(progress.publishLimit, start + bound)
                if subscription.archive == nil {
                    progress.retainFrom = min(progress.retainFrom, subscription.cursor)
                }
            }
        }
        part.progress = progress
        return true
    }

    /// Delivers the shared slice to a subscription that keeps up.
    ///
    /// This is the case for nearly every subscription in a drain, and takes a fraction of the steps of ``pump(_:)``.
    ///
    /// - Returns: whether the subscription has reached the head. If the subscription needs any other work, this method
    ///   does nothing and returns `false`.
    @inline(__always)
    private func deliverShared(_ shared: inout SharedSlice, to subscription: Subscription) -> Bool {
        let subscriber = subscription.subscriber
        guard subscription.cursor == shared.first, subscription.isPlain, subscriber.isWritable else { return false }
        let frames = shared.frames(for: subscription)
        left -= shared.cost
        record(subscription, to: shared.end)
        subscription.lag.catchesUp()
        isPumping = true
        subscriber.deliver(frames)
        isPumping = false
        return subscription.cursor >= subscription.reader.head
    }

    /// Whether the subscriber accepts more, if necessary after a flush of what this turn delivered to it.
    ///
    /// If the flush makes the subscriber resume, the hub postpones that.
    func takesMore(_ subscriber: any Subscriber) -> Bool {
        guard !subscriber.isWritable else { return true }
        isPumping = true
        subscriber.flush()
        isPumping = false
        return subscriber.isWritable
    }

    /// Delivers slices until the subscription reaches the head or its subscriber accepts no more, however much it is.
    func pumpAll(_ subscription: Subscription) {
        let before = left
        left = .max
        _ = pump(subscription)
        left = before
    }

    /// Delivers slices until the subscription reaches the head or its subscriber accepts no more, or until it is enough
    /// for this turn.
    ///
    /// - Returns: whether it was enough for this turn, and the subscriber accepts more.
    func pump(_ subscription: Subscription) -> Bool {
        let reader = subscription.reader
        let subscriber = subscription.subscriber
        guard subscription.start.isMet || open(subscription) else {
            // A subscriber that reads and only waits for a predecessor's turn is not behind.
            if !takesMore(subscriber) { subscription.lag.fallsBehind() }
            return false
        }
        isPumping = true
        defer { isPumping = false }
        while subscription.isActive, subscription.cursor < reader.head {
            if !subscriber.isWritable {
                // Data that was delivered earlier in this turn may be all that blocks the socket.
                subscriber.flush()
                guard subscriber.isWritable, subscription.isActive else {
                    subscription.lag.fallsBehind()
                    if subscription.lag.burst == nil { spare(subscription) }
                    return false
                }
            }
            guard left > 0 else { return true }
            guard let batch = batch(for: subscription) else {
                // The cursor was moved, the subscription was ended, or it waits for the journal.
                if subscription.archive?.isAsked == true { return false }
                continue
            }
            if !subscription.gap.isEmpty { announceDropped(subscription) }
            guard subscription.isActive else { return false }
            deliverRest(of: batch, to: subscription)
        }
        guard subscription.isActive else { return false }
        subscription.lag.catchesUp()
        subscription.lag.burst = nil
        if subscription.archive != nil { endArchive(of: subscription) }
        if !subscription.gap.isEmpty, subscriber.isWritable { announceDropped(subscription) }
        if reader.isDeleted, subscription.gap.isEmpty, subscription.isActive {
            if !subscriber.isWritable { subscriber.flush() }
            // End notices must not exceed what the subscriber accepts either.
            guard subscriber.isWritable, subscription.isActive else { return false }
            let waits = subscription.waiting != nil
            end(subscription, .topicDeleted)
            left -= TurnLimits.deliveryCost
            subscriber.notify(
                .topicDeleted(reader.topic, byPattern: subscription.pattern != nil, waits: waits)
            )
        }
        return false
    }

    private func deliverRest(of batch: Batch, to subscription: Subscription) {
        if batch.isSelective || !subscription.options.echo || !subscription.skippedRanges.isEmpty {
            return deliverSelected(of: batch, to: subscription)
        }
        let slice = subscription.slice(of: batch)
        left -= TurnLimits.deliveryCost + slice.readableBytes
        record(subscription, to: batch.end)
        subscription.subscriber.deliver(slice)
    }

    /// Accounts for a delivery. Call it before calling the subscriber, which may end the subscription.
    @inline(__always)
    private func record(_ subscription: Subscription, to end: Offset) {
        let count = end - subscription.cursor
        subscription.cursor = end
        subscription.counts.delivered += count
        counters.delivered += count
    }

    /// The batch that the subscription reads next.
    ///
    /// - Returns: `nil` after a skipped range was passed, or when the log has dropped the batch. In that case it is
    ///   read back from the journal, or the cursor was moved to the oldest offset kept, or the subscription was ended.
    private func batch(for subscription: Subscription) -> Batch? {
        let reader = subscription.reader
        if !subscription.skippedRanges.isEmpty, passSkippedRange(subscription) { return nil }
        if let newest = reader.newest, newest.first <= subscription.cursor, subscription.cursor < newest.end {
            return newest
        }
        if let archived = subscription.archive?.batch(at: subscription.cursor) { return archived }
        switch reader.topic.batch(at: subscription.cursor) {
        case .success(let batch):
            if subscription.archive != nil { endArchive(of: subscription) }
            return batch
        case .failure(let missing):
            if let source = missing.archive {
                readArchive(for: subscription, from: source)
                return nil
            }
            let (cursor, head) = (subscription.cursor, reader.head)
            carryOut(
                subscription.overflow.lost(upTo: missing.firstKept, cursor: cursor, head: head),
                on: subscription
            )
            return nil
        }
    }

    private func announceDropped(_ subscription: Subscription) {
        let gap = subscription.gap
        subscription.gap.close()
        let isTold = subscription.options.detail == .positioned && !gap.range.isEmpty
        subscription.subscriber.notify(
            .messagesDropped(subscription.topic, count: gap.count, range: isTold ? ClosedRange(gap.range) : nil)
        )
    }
}
