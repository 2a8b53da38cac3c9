/// One subscriber's place in one topic: a cursor into the topic's log. Belongs to its hub's loop.
public final class Subscription {
    public let clientID: String
    public let options: SubscriptionOptions
    let subscriber: any Subscriber
    let source: HubTopic
    /// The next offset to deliver.
    var cursor: Offset
    /// The replay the subscriber asked for ends here. What lies before it does not count as lag.
    var replayEnd: Offset
    /// Skipped since the last delivery, not announced yet.
    var dropped: UInt64 = 0
    var isActive = true
    /// Since when, and where, it has stood at its bound under the throttle policy.
    var stalled: (cursor: Offset, since: Int64)?
    /// The subscriber's subscriptions to deleted topics of the same name: they come to their end before this one starts.
    var predecessors: [Subscription] = []
    /// Its place in its topic's list, and in its subscriber's.
    var topicIndex = 0
    var subscriberIndex = 0

    init(
        clientID: String,
        options: SubscriptionOptions,
        subscriber: any Subscriber,
        source: HubTopic,
        cursor: Offset,
        replayEnd: Offset
    ) {
        self.clientID = clientID
        self.options = options
        self.subscriber = subscriber
        self.source = source
        self.cursor = cursor
        self.replayEnd = replayEnd
    }

    public var topic: Topic { source.topic }

    /// How many messages it is behind `head`, without those of its replay.
    func lag(to head: Offset) -> UInt64 {
        let start = max(cursor, replayEnd)
        return head > start ? head - start : 0
    }
}

/// A hub's side of a topic.
final class HubTopic {
    let topic: Topic
    let slot: Int
    var subscriptions = ContiguousArray<Subscription>()
    /// What the hub knows of the log since it last looked.
    var head: Offset = 1
    var newest: Batch?
    var isDeleted = false
    var isDirty = false
    /// While the list is walked, subscriptions that end are only marked, and taken out afterwards.
    var isDraining = false
    var hasEndedSubscriptions = false
    /// How many subscriptions have the throttle policy.
    var throttling = 0

    init(topic: Topic, slot: Int) {
        self.topic = topic
        self.slot = slot
    }
}

/// One subscriber's subscriptions, found by topic and client_id.
///
/// Most have one or two: up to ``linear`` of them are searched one by one, more through a dictionary.
public struct SubscriptionSet {
    private struct Key: Hashable {
        let topic: ObjectIdentifier
        let clientID: ExactText
    }

    private static let linear = 16
    private(set) var all: [Subscription] = []
    private var index: [Key: Subscription]?

    public init() {}

    public var count: Int { all.count }

    func find(_ topic: Topic, clientID: String) -> Subscription? {
        if let index { return index[Key(topic: ObjectIdentifier(topic), clientID: ExactText(clientID))] }
        return all.first { $0.topic === topic && ExactText($0.clientID) == ExactText(clientID) }
    }

    mutating func insert(_ subscription: Subscription) {
        subscription.subscriberIndex = all.count
        all.append(subscription)
        if index != nil {
            index?[Self.key(subscription)] = subscription
        } else if all.count > Self.linear {
            index = Dictionary(all.map { (Self.key($0), $0) }, uniquingKeysWith: { first, _ in first })
        }
    }

    mutating func remove(_ subscription: Subscription) {
        let position = subscription.subscriberIndex
        guard position < all.count, all[position] === subscription else { return }
        let last = all.removeLast()
        if last !== subscription {
            all[position] = last
            last.subscriberIndex = position
        }
        index?[Self.key(subscription)] = nil
        if all.isEmpty { self = SubscriptionSet() }
    }

    mutating func removeAll() -> [Subscription] {
        defer { self = SubscriptionSet() }
        return all
    }

    private static func key(_ subscription: Subscription) -> Key {
        Key(topic: ObjectIdentifier(subscription.topic), clientID: ExactText(subscription.clientID))
    }
}
