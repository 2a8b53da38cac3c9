import ApusBroker

// How far the loops that read a topic are behind its publishers.

extension Model {
    /// Records messages published from a hub's loop. Returns a mistake if the publish should have waited for another
    /// loop.
    func note(published count: Int, from publisher: Hub, to topic: ModelTopic) -> String? {
        // A loop can look only at what is kept, so the bound says little of the rest.
        guard let pace = limits.loopPace, !topic.isKept else { return nil }
        let readers = Set(connections.filter { $0.reads(topic) }.map { ObjectIdentifier($0.hub) })
        for hub in readers where hub != ObjectIdentifier(publisher) {
            let unread = unread[hub]?[topic.number] ?? 0
            self.unread[hub, default: [:]][topic.number] = unread + count
            if unread >= pace.deliveries { return "ran ahead of a loop by \(unread) messages" }
        }
        return nil
    }

    /// Records that the hub may have looked at everything published, in its turn or for a new subscription.
    func noteLook(of hub: Hub) {
        unread[ObjectIdentifier(hub)] = nil
    }
}

extension ModelConnection {
    fileprivate func reads(_ topic: ModelTopic) -> Bool {
        subscriptions.contains { $0.topic === topic && $0.isPlaced }
    }
}
