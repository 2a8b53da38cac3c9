import ApusProtocol

// The topics a hub has subscriptions on, and where it keeps them.

extension Hub {
    func hubTopic(for topic: Topic) -> HubTopic {
        if let slot = slotOfTopic[ObjectIdentifier(topic)], let source = topics[slot] { return source }
        let slot = freeSlots.popLast() ?? topics.count
        let source = HubTopic(topic: topic, slot: slot, deflation: deflation)
        if slot == topics.count { topics.append(source) } else { topics[slot] = source }
        slotOfTopic[ObjectIdentifier(topic)] = slot
        topicsOfName[ExactText(topic.name), default: 0] += 1
        return source
    }

    func releaseIfUnused(_ source: HubTopic) {
        guard source.subscriptions.isEmpty, topics[source.slot] === source else { return }
        topics[source.slot] = nil
        slotOfTopic[ObjectIdentifier(source.topic)] = nil
        let name = ExactText(source.topic.name)
        let others = (topicsOfName[name] ?? 1) - 1
        topicsOfName[name] = others > 0 ? others : nil
        freeSlots.append(source.slot)
    }

    /// Whether the hub still reads a deleted topic of the same name.
    func hasPredecessor(_ topic: Topic) -> Bool {
        (topicsOfName[ExactText(topic.name)] ?? 0) > 1
    }

    func markDirty(slot: Int) {
        // The slot may have been given up, or to another topic, since the topic was posted: then there is nothing to
        // do, or nothing new to find.
        guard slot < topics.count, let source = topics[slot], !source.isDirty else { return }
        source.isDirty = true
        dirty.append(source)
        requestTurn()
    }

    func takeOut(_ subscription: Subscription) {
        let source = subscription.source
        let last = source.subscriptions.removeLast()
        if last !== subscription {
            source.subscriptions[subscription.topicIndex] = last
            last.topicIndex = subscription.topicIndex
        }
    }

    func look(at source: HubTopic) {
        let view = source.topic.beginDrain(mailbox)
        source.seenHead = source.head
        source.head = view.head
        source.newest = view.newest
        source.isDeleted = view.isDeleted
    }

    func removeEnded(of source: HubTopic) {
        let ended = source.ended
        source.ended = []
        source.subscriptions.removeAll { !$0.isActive }
        for (index, subscription) in source.subscriptions.enumerated() { subscription.topicIndex = index }
        let head = source.topic.detach(mailbox, count: ended.count)
        for subscription in ended { settle(subscription, head: head) }
        releaseIfUnused(source)
    }
}
