import ApusProtocol

// Subscriptions that wait for their topic, and again when it is gone.

extension Hub {
    /// Subscribes to a name. Where it has a topic that is an ordinary subscription, which has begun to wait for the
    /// next one.
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

    /// Subscribes again: with another request from now on.
    private func replace(
        _ waiting: WaitingSubscription,
        with request: SubscribeRequest,
        defaults: SubscriptionOptions
    ) throws(BrokerError) -> SubscribeReceipt {
        let old = (waiting.request, waiting.defaults, waiting.hasStarted)
        (waiting.request, waiting.defaults, waiting.hasStarted) = (request, defaults, false)
        do throws(BrokerError) {
            // What was made since the claims were looked at is told of like any new topic.
            guard let latest = waiting.lives.last, let receipt = try place(waiting, on: latest.topic) else {
                return waitingReceipt(of: waiting)
            }
            waiting.hasStarted = true
            // The answer says all that it would.
            latest.opening = nil
            return receipt
        } catch {
            (waiting.request, waiting.defaults, waiting.hasStarted) = old
            throw error
        }
    }

    /// `nil` when the topic is gone.
    private func place(_ waiting: WaitingSubscription, on topic: Topic) throws(BrokerError) -> SubscribeReceipt? {
        let options = waiting.request.options(settings: topic.settings, defaults: waiting.defaults)
        return try place(waiting.subscriber, on: topic, waiting.request, options: options, pattern: nil)
    }

    /// Makes the subscription that was placed on `topic` one of those that wait for the next topic.
    private func hold(_ waiting: WaitingSubscription, _ topic: Topic) {
        let subscriber = waiting.subscriber
        waiting.hasStarted = true
        guard let life = subscriber.subscriptions.find(topic, clientID: waiting.request.clientID) else { return }
        subscriber.subscriptions.hold(life, by: waiting)
    }

    private func waitingReceipt(of waiting: WaitingSubscription) -> SubscribeReceipt {
        SubscribeReceipt(
            topicJSON: Array(jsonString(waiting.request.topic).utf8),
            epoch: "",
            offset: 0,
            isRecovered: nil,
            missed: nil,
            isWaiting: true
        )
    }

    // MARK: Topics that come

    /// Places what was promised so far, so that who subscribes or unsubscribes finds it.
    func claimPromised() {
        claim(mailbox.takeMatched())
    }

    /// Subscribes one that waits to a topic that was just made, which may be gone again.
    func claim(_ topic: Topic, for waiting: WaitingSubscription) {
        let subscriber = waiting.subscriber
        if waiting.lives.count >= WaitingSubscription.maxLives / 2 {
            // One that reads only has not had its turn.
            for life in waiting.lives where life.isActive { pump(life) }
        }
        let isOver = waits[waiting.filterID] == nil || faults.contains(.waitsOnlyOnce) && waiting.hasStarted
        let isFull =
            waiting.lives.count >= WaitingSubscription.maxLives
            || !waiting.lives.isEmpty && subscriber.subscriptions.matchCount >= waiting.maxMatches
        guard !isOver, !isFull else {
            counters.droppedEnded += topic.releaseReservation() - 1
            // Otherwise it is gone, over what it was just given.
            return isOver ? () : subscriber.notify(.overloaded)
        }
        let options = waiting.request.options(settings: topic.settings, defaults: waiting.defaults)
        // Only a start can be refused, and what was promised starts at the beginning.
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
        life.opening = Opening(isUnrecovered: isUnrecovered)
        if faults.contains(.missesFirstOfAwaited), life.cursor < life.reader.head { life.cursor += 1 }
        replaying.append(life)
        requestTurn()
    }

    /// Tells a subscription what comes before its first event, and says whether that is done.
    func open(_ subscription: Subscription) -> Bool {
        guard finishPredecessors(of: subscription) else { return false }
        guard let opening = subscription.opening else { return true }
        let subscriber = subscription.subscriber
        // Also of such news there is not to be more than the subscriber takes.
        guard takesMore(subscriber), subscription.isActive else { return false }
        subscription.opening = nil
        subscriber.notify(.topicCreated(subscription.topic, isUnrecovered: opening.isUnrecovered))
        if subscription.isActive, subscription.pendingPresence != nil { tellPending(subscription) }
        return subscription.isActive
    }

    // MARK: The end

    /// Unsubscribes one that waits, whether its topic is there or not.
    ///
    /// - Returns: the name as a quoted JSON string; `nil` when there is none that waits.
    func unsubscribeWaiting(_ subscriber: any Subscriber, from name: String, clientID: String) -> [UInt8]? {
        guard subscriber.subscriptions.hasWaiting else { return nil }
        claimPromised()
        guard let waiting = subscriber.subscriptions.find(waitingFor: name, clientID: clientID) else { return nil }
        // While it still waits, so that the end of a topic is told as to one that does.
        for life in waiting.lives where life.isActive { finish(life) }
        remove(waiting)
        return Array(jsonString(name).utf8)
    }

    /// One that waited has been subscribed again without waiting.
    func stopWaiting(_ subscriber: any Subscriber, for name: String, clientID: String) {
        guard let waiting = subscriber.subscriptions.find(waitingFor: name, clientID: clientID) else { return }
        waiting.lives.last?.opening = nil
        remove(waiting)
    }

    func remove(_ waiting: WaitingSubscription) {
        broker.removeFilter(waiting.filterID)
        waits[waiting.filterID] = nil
        if waits.isEmpty { waits = [:] }
        waiting.subscriber.subscriptions.remove(waiting)
    }
}
