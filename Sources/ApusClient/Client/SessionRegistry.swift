/// Tracks which session has which subscriptions. Subscriptions of one session must not overlap.
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

    /// The first session where the subscription overlaps with no other, or a new session.
    mutating func place(_ filter: TopicFilter, makeSession: () -> SubscriptionSession) -> SubscriptionSession {
        let index = slots.firstIndex { $0.hasRoom(for: filter) } ?? slots.endIndex
        if index == slots.endIndex { slots.append(Slot(session: makeSession())) }
        if filter.isPattern { slots[index].patterns.append(filter) } else { slots[index].names.insert(filter.text) }
        return slots[index].session
    }

    /// Removes a subscription that has ended.
    mutating func release(_ filter: TopicFilter, of session: SubscriptionSession) {
        guard let index = slots.firstIndex(where: { $0.session === session }) else { return }
        if filter.isPattern {
            slots[index].patterns.removeAll { $0 == filter }
        } else {
            slots[index].names.remove(filter.text)
        }
    }

    /// Removes a session without subscriptions, except the first session, which is kept for later subscriptions.
    /// Returns whether the session was removed.
    mutating func removeIfLeft(_ session: SubscriptionSession) -> Bool {
        guard let index = slots.firstIndex(where: { $0.session === session }), index > 0, slots[index].isEmpty else {
            return false
        }
        slots.remove(at: index)
        return true
    }

    /// Removes a session that has ended, with all its subscriptions.
    mutating func remove(_ session: SubscriptionSession) {
        slots.removeAll { $0.session === session }
    }
}
