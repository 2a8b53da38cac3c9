import ApusProtocol

/// Tracks which session has which subscriptions. Subscriptions of one session must not overlap.
struct SessionRegistry {
    private struct Slot {
        let session: SubscriptionSession
        var names: Set<ExactText> = []
        var patterns: [TopicFilter] = []

        var isEmpty: Bool { names.isEmpty && patterns.isEmpty }

        func hasRoom(for selection: TopicSelection) -> Bool {
            switch selection {
            case .name(let name):
                !names.contains(name) && !patterns.contains { $0.matches(name.text) }
            case .pattern(let filter):
                !patterns.contains { $0.overlaps(filter) } && !names.contains { filter.matches($0.text) }
            }
        }
    }

    private var slots: [Slot] = []

    var sessions: [SubscriptionSession] { slots.map(\.session) }

    /// The first session where the subscription overlaps with no other, or a new session.
    mutating func place(_ selection: TopicSelection, makeSession: () -> SubscriptionSession) -> SubscriptionSession {
        let index = slots.firstIndex { $0.hasRoom(for: selection) } ?? slots.endIndex
        if index == slots.endIndex { slots.append(Slot(session: makeSession())) }
        switch selection {
        case .name(let name): slots[index].names.insert(name)
        case .pattern(let filter): slots[index].patterns.append(filter)
        }
        return slots[index].session
    }

    /// Removes a subscription that has ended.
    mutating func release(_ selection: TopicSelection, of session: SubscriptionSession) {
        guard let index = slots.firstIndex(where: { $0.session === session }) else { return }
        switch selection {
        case .name(let name): slots[index].names.remove(name)
        case .pattern(let filter): slots[index].patterns.removeAll { $0 == filter }
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
