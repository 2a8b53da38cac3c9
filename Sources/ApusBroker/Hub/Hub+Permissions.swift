import ApusProtocol

// What happens to subscriptions when their subscriber may have more or less than before.

extension Hub {
    /// What becomes of a subscription.
    package enum Adaptation {
        /// It stays. A pattern gets another permission.
        case continues(SubscribeRequest.Permission?)
        case ends(EndReason)
    }

    /// Ends the subscriptions that a subscriber may not have any more, and gives its patterns their new permissions.
    ///
    /// What was published before is delivered as far as the subscriber accepts it. Topics that a pattern may not have
    /// any more leave it silently; those that it may have now join it.
    ///
    /// - Parameter decide: what becomes of the subscription with a request. It is called once for each subscription
    ///   that the subscriber asked for.
    /// - Returns: the names and patterns of the subscriptions that ended, as quoted JSON strings.
    package func adapt(_ subscriber: any Subscriber, _ decide: (SubscribeRequest) -> Adaptation) -> [[UInt8]] {
        claimPromised()
        var ended: [[UInt8]] = []
        for pattern in subscriber.subscriptions.patterns {
            switch decide(pattern.request) {
            case .continues(let permission): adapt(pattern, to: permission)
            case .ends(let reason):
                ended.append(jsonBytes(pattern.filter.text))
                end(pattern, reason)
            }
        }
        for waiting in Array(subscriber.subscriptions.waiting) {
            guard case .ends(let reason) = decide(waiting.request) else { continue }
            ended.append(jsonBytes(waiting.request.topic))
            for life in waiting.lives where life.isActive { finish(life, reason) }
            remove(waiting)
        }
        for subscription in subscriber.subscriptions.all
        where subscription.isActive && subscription.pattern == nil && subscription.waiting == nil {
            guard case .ends(let reason) = decide(subscription.request) else { continue }
            ended.append(subscription.topic.template.topicJSON)
            finish(subscription, reason)
        }
        return ended
    }

    private func end(_ pattern: PatternSubscription, _ reason: EndReason) {
        remove(pattern)
        for match in pattern.subscriber.subscriptions.all where match.pattern === pattern { finish(match, reason) }
    }

    private func adapt(_ pattern: PatternSubscription, to permission: SubscribeRequest.Permission?) {
        let old = pattern.request.permission
        guard old != nil || permission != nil else { return }
        pattern.request.permission = permission
        let subscriptions = pattern.subscriber.subscriptions
        for match in subscriptions.all where match.pattern === pattern && match.isActive {
            let allowed = permission?(match.topic.name) ?? .all
            if !allowed.contains(.subscribe) {
                finish(match, .forbidden)
            } else if !allowed.contains(.presence) || old.map({ !$0(match.topic.name).contains(.presence) }) ?? false {
                // The cursor stays where it is: only the options change.
                setPresence(of: match, to: pattern.request.presence && allowed.contains(.presence))
            }
        }
        for topic in broker.topics(matching: pattern.filter) {
            guard pattern.subscriber.subscriptions.matchCount < pattern.maxMatches else { return }
            let isKnown = subscriptions.find(topic, clientID: pattern.request.clientID, pattern: pattern) != nil
            // Only positions can be refused, and a pattern has none.
            if !isKnown { try? place(pattern, on: topic) }
        }
    }

    private func setPresence(of subscription: Subscription, to presence: Bool) {
        guard subscription.options.presence != presence else { return }
        subscription.options.presence = presence
        if presence {
            watch(subscription)
        } else {
            subscription.topic.watch(mailbox, slot: subscription.reader.slot, change: -1)
        }
    }
}

extension Subscription {
    /// The request for a subscription to one topic, as far as it matters for permissions.
    fileprivate var request: SubscribeRequest {
        SubscribeRequest(topic: topic.name, clientID: identity.clientID, presence: options.presence)
    }
}
