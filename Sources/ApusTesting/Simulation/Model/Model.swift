import ApusBroker
import ApusProtocol

/// Everything that ever happened, in plain lists, next to a real broker. The model shares no code with the broker.
final class Model {
    /// Every topic that ever existed. A topic that is created again is a new entry.
    private(set) var topics: [ModelTopic] = []
    /// The open connections.
    private(set) var connections: [ModelConnection] = []
    /// Where each message was published. No text is published twice.
    private(set) var places: [String: (topic: ModelTopic, offset: Int)] = [:]
    var mistakes: [String] = []
    /// Publishes whose commit is settled, and whose publishers were not told yet.
    var unanswered: [ModelPublish] = []
    /// The number of the current event. Presence news of one moment may come in any order.
    var moment = 0
    let limits: MemoryBroker.Limits
    /// For each hub and topic: the most messages that publishers on other hubs have published since the hub looked.
    var unread: [ObjectIdentifier: [Int: Int]] = [:]
    private let clock: ManualClock

    init(limits: MemoryBroker.Limits, clock: ManualClock) {
        self.limits = limits
        self.clock = clock
    }

    /// The steady clock, in milliseconds.
    var now: Int64 { clock.now }
    /// The wall clock, in milliseconds since 1970.
    var wall: Int64 { clock.wall }
    var time: Moment { clock.moment }

    /// Whether publishers may have to wait for loops.
    var pacesPublishers: Bool { limits.loopPace != nil }

    func topic(named name: String) -> ModelTopic? {
        topics.last { $0.name == name && !$0.isDeleted }
    }

    func add(_ topic: Topic, settings: TopicSettings, isKept: Bool) -> ModelTopic {
        let topic = ModelTopic(
            number: topics.count,
            real: topic,
            settings: settings,
            limits: limits,
            isKept: isKept
        )
        topics.append(topic)
        return topic
    }

    func add(_ connection: ModelConnection) {
        connections.append(connection)
    }

    func subscriptions(to topic: ModelTopic) -> [ModelSubscription] {
        connections.flatMap { connection in connection.subscriptions.filter { $0.topic === topic } }
    }

    /// The number of subscriptions to a topic.
    func count(of topic: ModelTopic) -> Int {
        subscriptions(to: topic).count - connections.reduce(0) { $0 + ($1.halfEnded[topic.number] ?? 0) }
    }

    // MARK: Publishing

    /// Checks a receipt, and records the messages that it reports as published.
    ///
    /// - Returns: what the publisher has to wait for, if that is so.
    func accept(_ receipt: PublishReceipt, by publisher: SimulatedPublisher, isCommitted: Bool) -> ModelPublish? {
        let (items, topic) = (publisher.items, publisher.topic)
        let subscriptions = subscriptions(to: topic)
        for subscription in subscriptions where subscription.options.overflow == .throttle && !subscription.isBoundNew {
            if subscription.lag(now: now).lowerBound >= subscription.options.queue {
                mistakes.append("\(topic.name) was published to beyond the bound of \(subscription.clientID)")
            }
        }
        var first: Int?
        var firstDuplicate: Int?
        var newest = 0
        var messages: [ModelTopic.Message] = []
        let next = topic.head + topic.commits.count
        for item in items {
            if let older = duplicate(item, of: topic, receipt) {
                if firstDuplicate == nil { firstDuplicate = older }
                newest = max(newest, older)
                continue
            }
            newest = next + messages.count
            if first == nil { first = newest }
            topic.dedupe?.add(item.id, offset: newest, now: now)
            messages.append(topic.message(item, origin: publisher.origin, at: time))
        }
        let count = messages.count
        let waits = topic.isKept && newest >= topic.head
        var publish: ModelPublish?
        if waits {
            publish = ModelPublish(messages, to: topic, from: publisher.hub)
            if let publish { topic.commits.add(publish, at: newest - topic.head) }
        } else {
            show(messages, of: topic)
        }
        if waits == isCommitted { mistakes.append("\(topic.name) acked before its commit, or after: \(receipt)") }
        guard receipt.count == count, receipt.duplicates == items.count - count,
            Int(receipt.offset) == first ?? firstDuplicate,
            (subscriptions.count...(subscriptions.count + topic.stalePromises)).contains(receipt.subscribers)
        else {
            let expected = "\(count) at \(first ?? firstDuplicate ?? 0) for \(subscriptions.count)"
            mistakes.append("\(topic.name): \(receipt), not \(expected)")
            return publish
        }
        return publish
    }

    /// From now on everybody can read these messages.
    func show(_ messages: [ModelTopic.Message], of topic: ModelTopic) {
        let subscriptions = subscriptions(to: topic)
        for message in messages {
            topic.append(message)
            places[message.text] = (topic, topic.messages.count)
            for subscription in subscriptions { subscription.note(published: topic.messages.count) }
        }
        topic.keepPromises(now: now)
    }

    /// Where an item was published before, if it is a duplicate.
    private func duplicate(_ item: SimulatedItem, of topic: ModelTopic, _ receipt: PublishReceipt) -> Int? {
        switch topic.dedupe?.answer(to: item.id, now: now) ?? .new {
        case .new: return nil
        case .duplicate(let offset): return offset
        // Both answers are right. The simulation allows this only for single messages.
        case .either(let offset): return receipt.duplicates > 0 ? offset : nil
        }
    }

    // MARK: Presence

    func announce(_ subscription: ModelSubscription, hasJoined: Bool) {
        if hasJoined { moment += 1 }
        let topic = subscription.topic
        for other in subscriptions(to: topic) where other !== subscription && other.options.presence {
            // A subscription that is not placed yet does not watch yet.
            let isOwed = !topic.isDeleted && subscription.isPlaced && other.isPlaced
            other.news.expect(subscription.clientID, hasJoined: hasJoined, isOwed: isOwed, moment: moment)
        }
    }

    /// Records the end of a subscription that was removed from its connection's list.
    func end(_ subscription: ModelSubscription, of connection: ModelConnection) {
        if !subscription.isPlaced { subscription.topic.stalePromises += 1 }
        announce(subscription, hasJoined: false)
        connections.removeAll { $0.isOver }
    }
}
