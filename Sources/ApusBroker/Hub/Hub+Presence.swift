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

    /// Tells this hub's subscriptions the news, as far as one turn goes.
    func tellNews() {
        var watchers: [Int: [Subscription]] = [:]
        var left = limits.notices
        while left > 0 {
            if presence.telling == nil, let (news, slot) = presence.news.popFirst() {
                let watching = watchers[slot] ?? watching(slot)
                watchers[slot] = watching
                presence.telling = (news, watching[...])
            }
            guard let telling = presence.telling else { break }
            let some = telling.watchers.prefix(left)
            left -= max(some.count, 1)
            let rest = telling.watchers.dropFirst(some.count)
            presence.telling = rest.isEmpty ? nil : (telling.news, rest)
            for subscription in some { tell(subscription, telling.news) }
        }
        guard presence.telling == nil, presence.news.isEmpty else { return }
        let dropped = presence.takeDropped()
        for (slot, count) in dropped {
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
        // There may be news from before this subscription began to watch. It is meant for others.
        guard subscription.isActive, subscription.options.presence, subscription.identity.id != news.subscription,
            news.sequence > subscription.presence.since
        else { return }
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

/// The news that a hub has still to tell, at most ``HubMailbox/presenceLimit``. More is dropped and counted.
struct PresenceQueue {
    var news = Deque<(news: Presence, slot: Int)>()
    /// The news that some of the watching subscriptions were told in this turn, and the others are in the next.
    var telling: (news: Presence, watchers: ArraySlice<Subscription>)?
    /// For each slot, the number of dropped news.
    private var dropped: [Int: UInt64] = [:]

    var isEmpty: Bool { news.isEmpty && telling == nil && dropped.isEmpty }

    mutating func add(_ inbox: HubMailbox.Inbox) {
        let room = max(HubMailbox.presenceLimit - news.count, 0)
        news += inbox.presence.prefix(room)
        for (_, slot) in inbox.presence.dropFirst(room) { dropped[slot, default: 0] += 1 }
        dropped.merge(inbox.droppedPresence, uniquingKeysWith: +)
    }

    mutating func takeDropped() -> [Int: UInt64] {
        defer { dropped = [:] }
        return dropped
    }
}
