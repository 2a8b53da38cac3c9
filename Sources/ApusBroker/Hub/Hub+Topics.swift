import ApusProtocol

// The topics that a hub has subscriptions to, and the slots where it keeps them.

extension Hub {
    func topicReader(for topic: Topic) -> TopicReader {
        if let slot = slotOfTopic[ObjectIdentifier(topic)], let reader = topics[slot] { return reader }
        let slot = freeSlots.popLast() ?? topics.count
        let reader = TopicReader(topic: topic, slot: slot, deflation: deflation)
        if slot == topics.count { topics.append(reader) } else { topics[slot] = reader }
        slotOfTopic[ObjectIdentifier(topic)] = slot
        topicsOfName[ExactText(topic.name), default: 0] += 1
        return reader
    }

    func releaseIfUnused(_ reader: TopicReader) {
        guard reader.subscriptions.isEmpty, topics[reader.slot] === reader else { return }
        topics[reader.slot] = nil
        slotOfTopic[ObjectIdentifier(reader.topic)] = nil
        let name = ExactText(reader.topic.name)
        let others = (topicsOfName[name] ?? 1) - 1
        topicsOfName[name] = others > 0 ? others : nil
        freeSlots.append(reader.slot)
    }

    /// Whether the hub still reads a deleted topic of the same name.
    func hasPredecessor(_ topic: Topic) -> Bool {
        (topicsOfName[ExactText(topic.name)] ?? 0) > 1
    }

    func markDirty(slot: Int) {
        // The slot may be free or hold another topic by now. Then there is nothing to do, or the drain finds nothing
        // new.
        guard slot < topics.count, let reader = topics[slot], !reader.isDirty else { return }
        reader.isDirty = true
        dirty.append(reader)
        requestTurn()
    }

    func takeOut(_ subscription: Subscription) {
        let reader = subscription.reader
        var index = subscription.topicIndex
        if let position = reader.part?.position, index < position {
            // The last of those that have had their turn takes its place, so that the last of all still gets one.
            let last = position - 1
            reader.subscriptions.swapAt(index, last)
            reader.subscriptions[index].topicIndex = index
            reader.part?.position = last
            index = last
        }
        reader.subscriptions.swapRemove(at: index)?.topicIndex = index
        subscriptionCount -= 1
    }

    func refresh(_ reader: TopicReader) {
        let view = reader.topic.beginDrain(mailbox)
        reader.seenHead = reader.head
        reader.head = view.head
        reader.newest = view.newest
        reader.isDeleted = view.isDeleted
    }

    /// Something was published while a drain of several turns is under way.
    func noteNews(of reader: TopicReader, _ taken: UInt64) {
        reader.part?.hasNews = true
        reader.newsTaken = min(reader.newsTaken, taken)
    }

    func removeEnded(of reader: TopicReader) {
        let ended = reader.ended
        reader.ended = []
        if let position = reader.part?.position {
            reader.part?.position = reader.subscriptions[..<position].count { $0.isInTopic }
        }
        let count = reader.subscriptions.count
        reader.subscriptions.removeAll { !$0.isInTopic }
        subscriptionCount -= count - reader.subscriptions.count
        for (index, subscription) in reader.subscriptions.enumerated() { subscription.topicIndex = index }
        let head = reader.topic.detach(mailbox, count: ended.count)
        for subscription in ended { recordUndelivered(subscription, head: head) }
        releaseIfUnused(reader)
    }
}
