/// One subscriber's subscriptions, found by topic and client_id, its patterns, and the names it waits for.
///
/// Most have one or two: up to ``linear`` of them are searched one by one, more through a dictionary.
public struct SubscriptionSet {
    private struct Key: Hashable {
        let topic: ObjectIdentifier
        let pattern: ObjectIdentifier?
        let clientID: ExactText
    }

    private struct WaitingKey: Hashable {
        let name: ExactText
        let clientID: ExactText
    }

    private static let linear = 16
    /// Those to topics by name, and those that patterns brought.
    private(set) var all: [Subscription] = []
    private(set) var patterns: [PatternSubscription] = []
    private var matches = 0
    private var waits: [WaitingKey: WaitingSubscription] = [:]
    /// How many of all have a ``WaitingSubscription`` that counts for them.
    private var held = 0
    /// How many of these are not the only ones of theirs: the topic of some name is gone, and there is another.
    private var extraLives = 0
    private var index: [Key: Subscription]?

    public init() {}

    /// How many the subscriber has asked for: a pattern is one, whatever it matches, and so is one that waits.
    public var count: Int { all.count - matches - held + patterns.count + waits.count }

    /// How many its patterns have brought, and names that it waits for have brought once more.
    public var matchCount: Int { matches + extraLives }

    /// Whether the subscriber has none at all.
    public var isEmpty: Bool { all.isEmpty && patterns.isEmpty && waits.isEmpty }

    func find(_ topic: Topic, clientID: String, pattern: PatternSubscription? = nil) -> Subscription? {
        if let index { return index[Self.key(topic, clientID, pattern)] }
        return all.first {
            $0.topic === topic && $0.pattern === pattern && ExactText($0.clientID) == ExactText(clientID)
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
        let last = all.removeLast()
        if last !== subscription {
            all[position] = last
            last.subscriberIndex = position
        }
        index?[Self.key(subscription)] = nil
        if all.isEmpty {
            all = []
            index = nil
        }
        all.releaseRoom()
        index?.releaseRoom()
    }

    func find(pattern text: String, clientID: String) -> PatternSubscription? {
        patterns.first {
            ExactText($0.filter.text) == ExactText(text) && ExactText($0.request.clientID) == ExactText(clientID)
        }
    }

    mutating func insert(_ pattern: PatternSubscription) {
        patterns.append(pattern)
    }

    mutating func remove(_ pattern: PatternSubscription) {
        patterns.removeAll { $0 === pattern }
        patterns.releaseRoom()
    }

    // MARK: Waiting

    /// Whether any of them waits, or would if its topic were gone.
    var hasWaiting: Bool { !waits.isEmpty }

    var waiting: some Collection<WaitingSubscription> { waits.values }

    func find(waitingFor name: String, clientID: String) -> WaitingSubscription? {
        waits.isEmpty ? nil : waits[WaitingKey(name: ExactText(name), clientID: ExactText(clientID))]
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

    /// Makes a subscription one of those that `waiting` has had so far, or of none.
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

    private static func key(_ waiting: WaitingSubscription) -> WaitingKey {
        WaitingKey(name: ExactText(waiting.request.topic), clientID: ExactText(waiting.request.clientID))
    }

    private static func key(_ topic: Topic, _ clientID: String, _ pattern: PatternSubscription?) -> Key {
        Key(
            topic: ObjectIdentifier(topic),
            pattern: pattern.map { ObjectIdentifier($0) },
            clientID: ExactText(clientID)
        )
    }

    private static func key(_ subscription: Subscription) -> Key {
        key(subscription.topic, subscription.clientID, subscription.pattern)
    }
}
