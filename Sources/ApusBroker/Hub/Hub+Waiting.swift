import ApusProtocol

// Subscriptions that wait for their topic to be created, and again after it is deleted.

extension Hub {
    /// Subscribes to a name. The subscription waits for a topic of that name.
    ///
    /// If the topic exists, the subscription starts at once, and later waits for the next topic of that name.
    func subscribeWaiting(
        _ subscriber: any Subscriber,
        _ request: SubscribeRequest,
        defaults: SubscriptionOptions,
        limits: SubscriptionLimits
    ) throws(BrokerError) -> SubscribeReceipt {
        guard TopicName.isAllowed(request.topic) else { throw .nameNotAllowed }
        try checkRoom(subscriber, request, broker.topic(named: request.topic), limits: limits)
        if request.makesTopic {
            _ = try broker.topicOrNew(named: request.topic)
            claimPromised()
        }
        let existing = subscriber.subscriptions.find(waitingFor: request.topic, clientID: request.clientID)
        if let existing { return try replace(existing, with: request, defaults: defaults) }
        let (id, topic) = broker.awaitTopic(named: request.topic, mailbox: mailbox)
        let waiting = WaitingSubscription(
            filterID: id,
            subscriber: subscriber,
            request: request,
            defaults: defaults,
            maxMatches: limits.matches
        )
        var receipt: SubscribeReceipt?
        if let topic {
            do throws(BrokerError) {
                receipt = try place(waiting, on: topic)
            } catch {
                broker.removeFilter(id)
                throw error
            }
        }
        waits[id] = waiting
        subscriber.subscriptions.insert(waiting)
        if receipt != nil, let topic { hold(waiting, topic) }
        return receipt ?? waitingReceipt(of: waiting)
    }

    /// Replaces the request of a waiting subscription.
    private func replace(
        _ waiting: WaitingSubscription,
        with request: SubscribeRequest,
        defaults: SubscriptionOptions
    ) throws(BrokerError) -> SubscribeReceipt {
        let old = (waiting.request, waiting.defaults, waiting.hasStarted)
        (waiting.request, waiting.defaults, waiting.hasStarted) = (request, defaults, false)
        do throws(BrokerError) {
            // A topic created since the claims were processed is announced like any new topic.
            guard let latest = waiting.lives.last, let receipt = try place(waiting, on: latest.topic) else {
                return waitingReceipt(of: waiting)
            }
            waiting.hasStarted = true
            // The receipt says everything that the opening would.
            latest.start.opening = nil
            return receipt
        } catch {
            (waiting.request, waiting.defaults, waiting.hasStarted) = old
            throw error
        }
    }

    /// `nil` when the topic is deleted.
    private func place(_ waiting: WaitingSubscription, on topic: Topic) throws(BrokerError) -> SubscribeReceipt? {
        let options = waiting.request.options(settings: topic.settings, defaults: waiting.defaults)
        return try place(waiting.subscriber, on: topic, waiting.request, options: options, pattern: nil)
    }

    /// Links the subscription on `topic` to `waiting`, so that it waits for the next topic afterwards.
    private func hold(_ waiting: WaitingSubscription, _ topic: Topic) {
        let subscriber = waiting.subscriber
        waiting.hasStarted = true
        guard let life = subscriber.subscriptions.find(topic, clientID: waiting.request.clientID) else { return }
        subscriber.subscriptions.hold(life, by: waiting)
    }

    private func waitingReceipt(of waiting: WaitingSubscription) -> SubscribeReceipt {
        SubscribeReceipt(
            topicJSON: jsonBytes(waiting.request.topic),
            epoch: "",
            offset: 0,
            isRecovered: nil,
            missed: nil,
            isWaiting: true
        )
    }

    // MARK: New topics

    /// Places the subscriptions reserved so far, so that a subscribe or an unsubscribe finds them.
    func claimPromised() {
        promised += mailbox.takeMatched()
        claim(atMost: .max)
    }

    /// Subscribes a waiting subscription to a topic that was just created and may be deleted already.
    func claim(_ topic: Topic, for waiting: WaitingSubscription) {
        let subscriber = waiting.subscriber
        if waiting.lives.count >= WaitingSubscription.maxLives / 2 {
            // A subscriber that reads may simply not have had its turn.
            for life in waiting.lives where life.isActive { pumpAll(life) }
        }
        let isOver = waits[waiting.filterID] == nil
        let isFull =
            waiting.lives.count >= WaitingSubscription.maxLives
            || !waiting.lives.isEmpty && subscriber.subscriptions.matchCount >= waiting.maxMatches
        guard !isOver, !isFull else {
            counters.droppedEnded += topic.releaseReservation() - 1
            // If the subscription is not over, its subscriber is overloaded and must disconnect.
            return isOver ? () : subscriber.notify(.overloaded)
        }
        let options = waiting.request.options(settings: topic.settings, defaults: waiting.defaults)
        // Only a start can be refused, and a reserved subscription starts at the beginning.
        _ = try? place(
            subscriber,
            on: topic,
            waiting.request,
            options: options,
            pattern: nil,
            claimsReservation: true
        )
        let isResumed = if case .position = waiting.request.start { true } else { false }
        let isUnrecovered = isResumed && !waiting.hasStarted
        hold(waiting, topic)
        guard let life = waiting.lives.last, life.topic === topic else { return }
        life.start.opening = Opening(isUnrecovered: isUnrecovered)
        replayLater(life)
    }

    /// Tells a subscription what precedes its first event. Returns whether events may follow.
    func open(_ subscription: Subscription) -> Bool {
        guard finishPredecessors(of: subscription) else { return false }
        guard let opening = subscription.start.opening else { return true }
        let subscriber = subscription.subscriber
        // Opening notices must not exceed what the subscriber accepts either.
        guard takesMore(subscriber), subscription.isActive else { return false }
        subscription.start.opening = nil
        subscriber.notify(.topicCreated(subscription.topic, isUnrecovered: opening.isUnrecovered))
        if subscription.isActive, subscription.presence.pending != nil { tellPending(subscription) }
        return subscription.isActive
    }

    // MARK: Ending

    /// Unsubscribes a waiting subscription, whether its topic exists or not.
    ///
    /// - Returns: the name as a quoted JSON string; `nil` when there is no such waiting subscription.
    func unsubscribeWaiting(_ subscriber: any Subscriber, from name: String, clientID: String) -> [UInt8]? {
        guard subscriber.subscriptions.hasWaiting else { return nil }
        claimPromised()
        guard let waiting = subscriber.subscriptions.find(waitingFor: name, clientID: clientID) else { return nil }
        // Finish while the subscription still waits, so that a deletion is reported as to a waiting subscription.
        var isCut = false
        for life in waiting.lives where life.isActive {
            // Nobody may hear of the next topic before the end of the last one, which has commits under way.
            if isCut { end(life, .unsubscribed) } else { finish(life) }
            isCut = isCut || life.topic.isDeleted && !life.reader.isDeleted
        }
        remove(waiting)
        return jsonBytes(name)
    }

    /// Stops waiting, because the subscriber subscribed again without waiting.
    func stopWaiting(_ subscriber: any Subscriber, for name: String, clientID: String) {
        guard let waiting = subscriber.subscriptions.find(waitingFor: name, clientID: clientID) else { return }
        waiting.lives.last?.start.opening = nil
        remove(waiting)
    }

    func remove(_ waiting: WaitingSubscription) {
        broker.removeFilter(waiting.filterID)
        waits[waiting.filterID] = nil
        if waits.isEmpty { waits = [:] }
        waiting.subscriber.subscriptions.remove(waiting)
    }
}
