import ApusProtocol
import DequeModule
import Synchronization

// News about other subscriptions.

extension Hub {
    /// Tells all hubs that watch the topic.
    func announce(_ subscription: Subscription, hasJoined: Bool) {
        guard subscription.identity.isAnnounced else { return }
        subscription.topic.announce(
            Presence(
                hasJoined: hasJoined,
                clientID: subscription.identity.clientID,
                subscription: subscription.identity.id,
                sequence: Self.lastID.add(1, ordering: .relaxed).newValue
            )
        )
    }

    /// Tells this hub's subscriptions the news in the inbox.
    func announce(_ inbox: HubMailbox.Inbox) {
        var watchers: [Int: [Subscription]] = [:]
        for (news, slot) in inbox.presence {
            let watching = watchers[slot] ?? watching(slot)
            watchers[slot] = watching
            for subscription in watching where subscription.identity.id != news.subscription && subscription.isActive {
                // The inbox may hold news from before this subscription began to watch. It is meant for others.
                if news.sequence > subscription.presence.since { tell(subscription, news) }
            }
        }
        for (slot, count) in inbox.droppedPresence {
            for subscription in watching(slot) where subscription.isActive {
                subscription.subscriber.notify(.presenceDropped(subscription.topic, count: count))
            }
        }
    }

    /// Returns a copy, because a subscriber that is told may end subscriptions.
    private func watching(_ slot: Int) -> [Subscription] {
        guard slot < topics.count, let reader = topics[slot] else { return [] }
        return reader.subscriptions.filter(\.options.presence)
    }

    private func tell(_ subscription: Subscription, _ news: Presence) {
        let subscriber = subscription.subscriber
        if subscription.presence.pending == nil, !takesMore(subscriber), !subscription.isActive { return }
        // A subscriber gets no presence news before the notice that the topic exists.
        guard subscriber.isWritable, subscription.presence.pending == nil, subscription.start.opening == nil else {
            if subscription.presence.pending == nil { subscription.presence.pending = PendingPresence() }
            subscription.presence.pending?.add(news)
            return
        }
        subscriber.notify(
            .presence(subscription.topic, hasJoined: news.hasJoined, clientID: news.clientID)
        )
    }

    /// Tells a subscriber that accepts data again the news that it missed.
    func tellPending(_ subscription: Subscription) {
        guard let pending = subscription.presence.pending.take() else { return }
        if pending.dropped > 0 {
            subscription.subscriber.notify(.presenceDropped(subscription.topic, count: pending.dropped))
        }
        for news in pending.news where subscription.isActive { tell(subscription, news) }
    }
}
