import ApusProtocol
import DequeModule

// Pattern subscriptions: one subscription to each matching topic, including topics that are created later.

extension Hub {
    func subscribeToPattern(
        _ subscriber: any Subscriber,
        _ request: SubscribeRequest,
        defaults: SubscriptionOptions,
        limits: SubscriptionLimits
    ) throws(BrokerError) -> SubscribeReceipt {
        let filter = try filter(request.topic)
        if let existing = subscriber.subscriptions.find(pattern: request.topic, clientID: request.clientID) {
            existing.request = request
            existing.defaults = defaults
            let matches = subscriber.subscriptions.all.filter { $0.pattern === existing }
            for match in matches where match.isActive { try place(existing, on: match.topic) }
            return receipt(of: filter)
        }
        guard subscriber.subscriptions.count < limits.subscriptions else {
            let most = counted(limits.subscriptions, "subscription")
            throw BrokerError(.tooManySubscriptions, "A connection has at most \(most)")
        }
        let room = max(limits.matches - subscriber.subscriptions.matchCount, 0)
        let (id, topics) = broker.addFilter(filter, mailbox: mailbox, limit: room + 1)
        guard topics.count <= room else {
            broker.removeFilter(id)
            throw BrokerError(
                .tooManySubscriptions,
                "The patterns of a connection match at most \(counted(limits.matches, "topic"))"
            )
        }
        let pattern = PatternSubscription(
            filter: filter,
            subscriber: subscriber,
            request: request,
            defaults: defaults,
            maxMatches: limits.matches
        )
        pattern.filterID = id
        patterns[id] = pattern
        subscriber.subscriptions.insert(pattern)
        for topic in topics { try place(pattern, on: topic) }
        return receipt(of: filter)
    }

    private func filter(_ text: String) throws(BrokerError) -> TopicFilter {
        guard let filter = TopicFilter(text) else { throw .filterNotAllowed }
        return filter
    }

    private func receipt(of filter: TopicFilter) -> SubscribeReceipt {
        SubscribeReceipt(
            topicJSON: jsonBytes(filter.text),
            epoch: "",
            offset: 0,
            isRecovered: nil,
            missed: nil
        )
    }

    func place(_ pattern: PatternSubscription, on topic: Topic, claims: Bool = false) throws(BrokerError) {
        let permission = pattern.request.permission?(topic.name) ?? .all
        guard permission.contains(.subscribe) else {
            if claims { counters.droppedEnded += topic.releaseReservation() - 1 }
            return
        }
        var request = pattern.request
        if !permission.contains(.replay) { request.start = .lastN(0) }
        if !permission.contains(.presence) { request.presence = false }
        let options = request.options(settings: topic.settings, defaults: pattern.defaults)
        // A topic that has been deleted meanwhile no longer belongs to the pattern.
        _ = try place(
            pattern.subscriber,
            on: topic,
            request,
            options: options,
            pattern: pattern,
            claimsReservation: claims
        )
    }

    /// Places the first subscriptions that new topics reserved for patterns and for waiting subscriptions.
    func claim(atMost count: Int) {
        isClaiming = true
        for _ in 0..<min(count, promised.count) {
            guard let match = promised.popFirst() else { break }
            claim(match.topic, for: match.filter)
        }
        isClaiming = false
        successions = [:]
    }

    /// Subscribes a pattern or a waiting subscription to a topic that was just created.
    private func claim(_ topic: Topic, for filter: FilterID) {
        if let waiting = waits[filter] { return claim(topic, for: waiting) }
        guard let pattern = patterns[filter] else {
            counters.droppedEnded += topic.releaseReservation() - 1
            return
        }
        guard pattern.subscriber.subscriptions.matchCount < pattern.maxMatches else {
            counters.droppedEnded += topic.releaseReservation() - 1
            return pattern.subscriber.notify(.overloaded)
        }
        // Only positions can be refused, and a pattern has none.
        try? place(pattern, on: topic, claims: true)
    }

    func unsubscribeFromPattern(
        _ subscriber: any Subscriber,
        _ text: String,
        clientID: String
    ) throws(BrokerError) -> [UInt8] {
        let filter = try filter(text)
        if let pattern = subscriber.subscriptions.find(pattern: text, clientID: clientID) {
            remove(pattern)
            for match in subscriber.subscriptions.all where match.pattern === pattern { finish(match) }
        }
        return jsonBytes(filter.text)
    }

    func remove(_ pattern: PatternSubscription) {
        broker.removeFilter(pattern.filterID)
        patterns[pattern.filterID] = nil
        pattern.subscriber.subscriptions.remove(pattern)
    }
}
