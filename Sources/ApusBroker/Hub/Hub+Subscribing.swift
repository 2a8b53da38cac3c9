import ApusProtocol
import DequeModule
import Synchronization

// How subscriptions begin and end.

extension Hub {
    /// The most subscriptions that one connection may have.
    package struct SubscriptionLimits: Sendable {
        /// Subscriptions that the connection asks for. A pattern counts as one.
        package var subscriptions: Int
        /// Topics that the connection's patterns match.
        package var matches: Int

        package init(subscriptions: Int, matches: Int = 100_000) {
            self.subscriptions = subscriptions
            self.matches = matches
        }
    }

    /// The last id of a subscription or of presence news.
    static let lastID = Atomic<UInt64>(0)

    /// Subscribes, or changes an existing subscription. The replay follows in the next turn.
    ///
    /// - Throws: ``BrokerError`` `.topicNotFound`, `.filterNotAllowed`, `.nameNotAllowed`, `.positionInFuture`,
    ///   `.tooManySubscriptions` or `.tooManyTopics`.
    package func subscribe(
        _ subscriber: any Subscriber,
        _ request: SubscribeRequest,
        defaults: SubscriptionOptions,
        limits: SubscriptionLimits
    ) throws(BrokerError) -> SubscribeReceipt {
        if TopicFilter.isPattern(request.topic) {
            return try subscribeToPattern(subscriber, request, defaults: defaults, limits: limits)
        }
        if subscriber.subscriptions.hasWaiting { claimPromised() }
        if request.waits { return try subscribeWaiting(subscriber, request, defaults: defaults, limits: limits) }
        while true {
            let topic = try topic(for: subscriber, request, limits: limits)
            let options = request.options(settings: topic.settings, defaults: defaults)
            if let receipt = try place(subscriber, on: topic, request, options: options, pattern: nil) {
                stopWaiting(subscriber, for: request.topic, clientID: request.clientID)
                return receipt
            }
            // The topic was deleted a moment ago. Create it again if the request allows that.
            guard request.makesTopic else { throw .noTopic(named: request.topic) }
        }
    }

    /// The topic that a request names. Creates it if necessary, after checking that the subscriber may subscribe.
    ///
    /// - Throws: ``BrokerError`` `.topicNotFound`, `.nameNotAllowed`, `.tooManySubscriptions` or `.tooManyTopics`.
    private func topic(
        for subscriber: any Subscriber,
        _ request: SubscribeRequest,
        limits: SubscriptionLimits
    ) throws(BrokerError) -> Topic {
        let topic = broker.topic(named: request.topic)
        guard topic != nil || request.makesTopic else { throw .noTopic(named: request.topic) }
        try checkRoom(subscriber, request, topic, limits: limits)
        if let topic { return topic }
        return try broker.topicOrNew(named: request.topic)
    }

    /// Refuses a subscription beyond the limit. A request that replaces an existing subscription is never refused.
    ///
    /// - Throws: ``BrokerError`` `.tooManySubscriptions`.
    func checkRoom(
        _ subscriber: any Subscriber,
        _ request: SubscribeRequest,
        _ topic: Topic?,
        limits: SubscriptionLimits
    ) throws(BrokerError) {
        let all = subscriber.subscriptions
        guard all.count >= limits.subscriptions, all.find(waitingFor: request.topic, clientID: request.clientID) == nil,
            topic.flatMap({ all.find($0, clientID: request.clientID) }) == nil
        else { return }
        let most = counted(limits.subscriptions, "subscription")
        throw BrokerError(.tooManySubscriptions, "A connection has at most \(most)")
    }

    /// Adds a subscription, or places the cursor of an existing one again; `nil` when the topic is deleted.
    ///
    /// - Throws: ``BrokerError`` `.positionInFuture`.
    func place(
        _ subscriber: any Subscriber,
        on topic: Topic,
        _ request: SubscribeRequest,
        options: SubscriptionOptions,
        pattern: PatternSubscription?,
        claimsReservation: Bool = false
    ) throws(BrokerError) -> SubscribeReceipt? {
        let existing = subscriber.subscriptions.find(topic, clientID: request.clientID, pattern: pattern)
        let reader = topicReader(for: topic)
        let now = clock()
        let result = Result { () throws(BrokerError) in
            try topic.attach(
                Topic.Attachment(
                    mailbox: mailbox,
                    slot: reader.slot,
                    start: request.start,
                    now: now.steady,
                    isNew: existing == nil,
                    throttlesAt: Overflow(options).publishBound,
                    claimsReservation: claimsReservation
                )
            )
        }
        guard case .success(let attached?) = result else {
            releaseIfUnused(reader)
            _ = try result.get()
            return nil
        }
        if !attached.isArchived { reader.lowWaterMark = min(reader.lowWaterMark, attached.cursor) }
        if reader.part != nil { include(attached, throttlesAt: Overflow(options).publishBound, in: reader) }
        reader.head = attached.view.head
        reader.newest = attached.view.newest
        reader.isDeleted = attached.view.isDeleted
        let subscription: Subscription
        if let existing {
            subscription = existing
            move(existing, to: attached, options: options)
        } else {
            subscription = Subscription(
                Subscription.Identity(
                    clientID: request.clientID,
                    id: Self.lastID.add(1, ordering: .relaxed).newValue,
                    isAnnounced: request.isAnnounced,
                    since: now.wall
                ),
                options: options,
                subscriber: subscriber,
                reader: reader,
                pattern: pattern,
                cursor: attached.cursor,
                // Messages published before the hub heard of the new topic are not a replay for a reserved
                // subscription.
                replayEnd: claimsReservation ? attached.cursor : attached.view.head
            )
            add(subscription)
            if !claimsReservation { counters.replayed += attached.view.head - attached.cursor }
        }
        readFromArchive(subscription, attached)
        if subscription.cursor < attached.view.head || existing != nil || reader.isDeleted {
            replayLater(subscription)
        }
        return SubscribeReceipt(
            topicJSON: topic.template.topicJSON,
            epoch: topic.epoch,
            offset: subscription.cursor - 1,
            isRecovered: attached.isRecovered,
            missed: attached.missed
        )
    }

    private func readFromArchive(_ subscription: Subscription, _ attached: Topic.Attached) {
        guard attached.isArchived, subscription.cursor == attached.cursor else { return }
        subscription.archive = ArchiveReading(notBefore: attached.notBefore)
    }

    /// Has a drain that goes on in the next turn report at its end what a subscription needs that it may not look at.
    private func include(_ attached: Topic.Attached, throttlesAt bound: UInt64?, in reader: TopicReader) {
        guard var progress = reader.part?.progress else { return }
        if attached.isArchived {
            progress.archiveMark = min(progress.archiveMark, attached.cursor)
        } else {
            progress.lowWaterMark = min(progress.lowWaterMark, attached.cursor)
        }
        if let bound {
            progress.publishLimit = min(progress.publishLimit, attached.view.head + bound)
            if !attached.isArchived { progress.retainFrom = min(progress.retainFrom, attached.cursor) }
        }
        reader.part?.progress = progress
        reader.part?.hasNews = true
    }

    private func add(_ subscription: Subscription) {
        let reader = subscription.reader
        subscription.start.predecessors = predecessors(of: subscription)
        subscription.topicIndex = reader.subscriptions.count
        reader.subscriptions.append(subscription)
        subscriptionCount += 1
        subscription.subscriber.subscriptions.insert(subscription)
        if subscription.overflow.canHoldPublishers { reader.throttling += 1 }
        if subscription.options.presence { watch(subscription) }
        announce(subscription, hasJoined: true)
    }

    func watch(_ subscription: Subscription) {
        subscription.presence.since = Self.lastID.add(1, ordering: .relaxed).newValue
        subscription.topic.watch(mailbox, slot: subscription.reader.slot, change: 1)
    }

    /// A lower estimate of the dropped messages between `start` and the cursor.
    ///
    /// It assumes that the subscription skipped all of them. Under latest, superseded messages do not count. It is
    /// better to announce one dropped message too many than one too few.
    private func skipped(by subscription: Subscription, since start: Offset) -> UInt64 {
        guard !subscription.gap.isEmpty else { return 0 }
        let live = [start, subscription.cursor].map { offset in
            subscription.topic.liveSpan(from: offset, start: offset, bound: .max).count
        }
        return UInt64(max(live[0] - live[1], 0))
    }

    /// Moves the cursor back to the start of a new replay, and applies the new options.
    private func move(_ subscription: Subscription, to attached: Topic.Attached, options: SubscriptionOptions) {
        let reader = subscription.reader
        if attached.cursor < subscription.cursor {
            counters.replayed += subscription.cursor - attached.cursor
            // Skipped messages that are replayed now are no longer a gap.
            let replayed = skipped(by: subscription, since: attached.cursor)
            subscription.gap.shrink(by: replayed, to: attached.cursor)
            subscription.cursor = attached.cursor
            subscription.begin = min(subscription.begin, attached.cursor)
            subscription.drops?.forget(from: attached.cursor)
            subscription.lag.replayEnd = max(subscription.lag.replayEnd, attached.view.head)
        }
        let held = subscription.skippedRanges.count(from: attached.cursor)
        if held > 0 {
            // Messages in a skipped range that the subscriber asks for now must be delivered again.
            counters.replayed += held
            subscription.skippedRanges.restore(from: attached.cursor)
            subscription.drops?.forget(from: attached.cursor)
            subscription.lag.replayEnd = max(subscription.lag.replayEnd, attached.view.head)
        }
        guard subscription.options != options else { return }
        let heldPublishers = subscription.overflow.canHoldPublishers
        subscription.overflow = Overflow(options)
        if subscription.overflow.canHoldPublishers != heldPublishers {
            reader.throttling += heldPublishers ? -1 : 1
            markDirty(slot: reader.slot)
        }
        if subscription.options.presence != options.presence {
            if options.presence {
                watch(subscription)
            } else {
                reader.topic.watch(mailbox, slot: reader.slot, change: -1)
            }
        }
        subscription.options = options
        subscription.encoding = options.encoding(for: subscription.subscriber)
    }

    /// Unsubscribes. Delivers first what was published before, as far as the subscriber accepts it.
    ///
    /// It is no error if there was no subscription.
    ///
    /// - Returns: the topic's name, or the pattern, as a quoted JSON string.
    /// - Throws: ``BrokerError`` `.topicNotFound`, `.nameNotAllowed` or `.filterNotAllowed`.
    package func unsubscribe(
        _ subscriber: any Subscriber,
        from name: String,
        clientID: String
    ) throws(BrokerError) -> [UInt8] {
        if TopicFilter.isPattern(name) {
            return try unsubscribeFromPattern(subscriber, name, clientID: clientID)
        }
        if let topicJSON = unsubscribeWaiting(subscriber, from: name, clientID: clientID) { return topicJSON }
        guard let topic = broker.topic(named: name) else { throw .noTopic(named: name) }
        if let subscription = subscriber.subscriptions.find(topic, clientID: clientID) { finish(subscription) }
        return topic.template.topicJSON
    }

    /// Delivers what the subscriber still accepts, and ends the subscription.
    func finish(_ subscription: Subscription, _ reason: EndReason = .unsubscribed) {
        catchUp(subscription.start.predecessors)
        if subscription.isActive {
            refresh(subscription.reader)
            pumpAll(subscription)
        }
        end(subscription, reason)
    }
}
