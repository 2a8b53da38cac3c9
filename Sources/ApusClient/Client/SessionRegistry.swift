/// Which session has which subscriptions: no two of a session may ask for the same topic.
struct SessionRegistry {
    private struct Slot {
        let session: SubscriptionSession
        var names: Set<String> = []
        var patterns: [TopicFilter] = []

        var isEmpty: Bool { names.isEmpty && patterns.isEmpty }

        func hasRoom(for filter: TopicFilter) -> Bool {
            if !filter.isPattern {
                return !names.contains(filter.text) && !patterns.contains { $0.matches(filter.text) }
            }
            return !patterns.contains { $0.overlaps(filter) } && !names.contains { filter.matches($0) }
        }
    }

    private var slots: [Slot] = []

    var sessions: [SubscriptionSession] { slots.map(\.session) }

    /// The session for this subscription: the first where it is not in another's way, or a new one.
    mutating func place(_ filter: TopicFilter, makeSession: () -> SubscriptionSession) -> SubscriptionSession {
        let index = slots.firstIndex { $0.hasRoom(for: filter) } ?? slots.endIndex
        if index == slots.endIndex { slots.append(Slot(session: makeSession())) }
        if filter.isPattern { slots[index].patterns.append(filter) } else { slots[index].names.insert(filter.text) }
        return slots[index].session
    }

    /// The subscription has ended.
    mutating func release(_ filter: TopicFilter, of session: SubscriptionSession) {
        guard let index = slots.firstIndex(where: { $0.session === session }) else { return }
        if filter.isPattern {
            slots[index].patterns.removeAll { $0 == filter }
        } else {
            slots[index].names.remove(filter.text)
        }
    }

    /// Removes a session that has nothing any more; but for the first, which is kept for what is to come.
    mutating func removeIfLeft(_ session: SubscriptionSession) -> Bool {
        guard let index = slots.firstIndex(where: { $0.session === session }), index > 0, slots[index].isEmpty else {
            return false
        }
        slots.remove(at: index)
        return true
    }

    /// The session has ended, with all that it has.
    mutating func remove(_ session: SubscriptionSession) {
        slots.removeAll { $0.session === session }
    }
}
