import ApusProtocol

/// The subscriptions of one subscriber, its patterns, and the names that it waits for.
///
/// Subscriptions are found by topic and client_id, patterns by text and client_id. Most subscribers have one or two. Up
/// to ``linear`` are searched linearly, more through a dictionary.
package struct SubscriptionSet {
    private struct Key: Hashable {
        let topic: ObjectIdentifier
        let pattern: ObjectIdentifier?
        let clientID: ExactText
    }

    /// What a pattern, or a subscription that waits, is found by.
    private struct NameKey: Hashable {
        let name: ExactText
        let clientID: ExactText
    }

    private static let linear = 16
    /// All subscriptions, including those created by patterns.
    private(set) var all: [Subscription] = []
    private(set) var patterns: [PatternSubscription] = []
    private var matches = 0
    private var waits: [NameKey: WaitingSubscription] = [:]
    /// The number of subscriptions that belong to a ``WaitingSubscription``.
    private var held = 0
    /// The number of these beyond the first of each name: the topic was deleted, and there is a newer one.
    private var extraLives = 0
    private var index: [Key: Subscription]?
    private var patternIndex: [NameKey: PatternSubscription]?

    package init() {}

    /// The number of subscriptions that the subscriber asked for. A pattern or a waiting subscription counts as one.
    package var count: Int { all.count - matches - held + patterns.count + waits.count }

    /// The number of subscriptions that patterns created, plus the extra ones for names that it waits for.
    package var matchCount: Int { matches + extraLives }

    /// Whether the subscriber has no subscriptions at all.
    package var isEmpty: Bool { all.isEmpty && patterns.isEmpty && waits.isEmpty }

    func find(_ topic: Topic, clientID: String, pattern: PatternSubscription? = nil) -> Subscription? {
        if let index { return index[Self.key(topic, clientID, pattern)] }
        return all.first {
            $0.topic === topic && $0.pattern === pattern && ExactText($0.identity.clientID) == ExactText(clientID)
        }
    }

    mutating func insert(_ subscription: Subscription) {
        subscription.subscriberIndex = all.count
        all.append(subscription)
        if subscription.pattern != nil { matches += 1 }
        if index != nil {
            index?[Self.key(subscription)] = subscription
        } else if all.count > Self.linear {
            index = Dictionary(all.map { (Self.key($0), $0) }, uniquingKeysWith: { first, _ in first })
        }
    }

    mutating func remove(_ subscription: Subscription) {
        let position = subscription.subscriberIndex
        guard position < all.count, all[position] === subscription else { return }
        if subscription.pattern != nil { matches -= 1 }
        hold(subscription, by: nil)
        all.swapRemove(at: position)?.subscriberIndex = position
        index?[Self.key(subscription)] = nil
        if all.isEmpty {
            all = []
            index = nil
        }
        all.releaseRoom()
        index?.releaseRoom()
    }

    /// Empties the set.
    ///
    /// - Returns: the subscriptions, and what the broker knows the patterns and the waiting subscriptions by.
    mutating func takeAll() -> (all: [Subscription], filters: [FilterID]) {
        let taken = (all, patterns.map(\.filterID) + waits.values.map(\.filterID))
        for waiting in waits.values {
            for subscription in waiting.lives { subscription.waiting = nil }
            waiting.lives = []
        }
        self = SubscriptionSet()
        return taken
    }

    func find(pattern text: String, clientID: String) -> PatternSubscription? {
        if let patternIndex { return patternIndex[NameKey(name: ExactText(text), clientID: ExactText(clientID))] }
        return patterns.first {
            ExactText($0.filter.text) == ExactText(text) && ExactText($0.request.clientID) == ExactText(clientID)
        }
    }

    mutating func insert(_ pattern: PatternSubscription) {
        pattern.subscriberIndex = patterns.count
        patterns.append(pattern)
        if patternIndex != nil {
            patternIndex?[Self.key(pattern)] = pattern
        } else if patterns.count > Self.linear {
            patternIndex = Dictionary(patterns.map { (Self.key($0), $0) }, uniquingKeysWith: { first, _ in first })
        }
    }

    mutating func remove(_ pattern: PatternSubscription) {
        let position = pattern.subscriberIndex
        guard position < patterns.count, patterns[position] === pattern else { return }
        patterns.swapRemove(at: position)?.subscriberIndex = position
        patternIndex?[Self.key(pattern)] = nil
        if patterns.isEmpty { patternIndex = nil }
        patterns.releaseRoom()
        patternIndex?.releaseRoom()
    }

    // MARK: Waiting

    /// Whether one of them waits, or would wait if its topic were deleted.
    var hasWaiting: Bool { !waits.isEmpty }

    var waiting: some Collection<WaitingSubscription> { waits.values }

    func find(waitingFor name: String, clientID: String) -> WaitingSubscription? {
        waits.isEmpty ? nil : waits[NameKey(name: ExactText(name), clientID: ExactText(clientID))]
    }

    mutating func insert(_ waiting: WaitingSubscription) {
        waits[Self.key(waiting)] = waiting
    }

    mutating func remove(_ waiting: WaitingSubscription) {
        for subscription in waiting.lives { hold(subscription, by: nil) }
        waits[Self.key(waiting)] = nil
        waits.releaseRoom()
        if waits.isEmpty { waits = [:] }
    }

    /// Assigns a subscription to `waiting`, or to none.
    mutating func hold(_ subscription: Subscription, by waiting: WaitingSubscription?) {
        guard subscription.waiting !== waiting else { return }
        if let old = subscription.waiting {
            old.lives.removeAll { $0 === subscription }
            held -= 1
            if !old.lives.isEmpty { extraLives -= 1 }
        }
        subscription.waiting = waiting
        guard let waiting else { return }
        if !waiting.lives.isEmpty { extraLives += 1 }
        waiting.lives.append(subscription)
        held += 1
    }

    private static func key(_ waiting: WaitingSubscription) -> NameKey {
        NameKey(name: ExactText(waiting.request.topic), clientID: ExactText(waiting.request.clientID))
    }

    private static func key(_ pattern: PatternSubscription) -> NameKey {
        NameKey(name: ExactText(pattern.filter.text), clientID: ExactText(pattern.request.clientID))
    }

    private static func key(_ topic: Topic, _ clientID: String, _ pattern: PatternSubscription?) -> Key {
        Key(
            topic: ObjectIdentifier(topic),
            pattern: pattern.map { ObjectIdentifier($0) },
            clientID: ExactText(clientID)
        )
    }

    private static func key(_ subscription: Subscription) -> Key {
        key(subscription.topic, subscription.identity.clientID, subscription.pattern)
    }
}
