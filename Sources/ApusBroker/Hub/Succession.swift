/// Orders a subscriber's subscriptions to a deleted topic before those to the next topic of the same name.
///
/// The next subscriptions begin when all former ones have finished. One object serves all of them. It belongs to its
/// hub's loop.
///
/// ```
/// former (deleted) ──counted by left──► Succession ──wakes──► next
///                                           └─ earlier: what the former wait for themselves
/// ```
final class Succession {
    /// The reader of the next subscriptions.
    let reader: TopicReader
    private(set) var former: [Subscription]
    /// The number of former subscriptions that have not ended.
    var left: Int
    /// Those that are not over. They end before this one, unless former subscriptions were ended early.
    private(set) var earlier: [Succession]
    /// Until this one is over.
    private var later: [Succession] = []
    var next: [Subscription] = []

    init(of former: [Subscription], to reader: TopicReader) {
        self.reader = reader
        self.former = former
        left = former.count
        earlier = former.compactMap(\.start.predecessors).reduce(into: []) { all, one in
            if !one.isOver, !all.contains(where: { $0 === one }) { all.append(one) }
        }
        for succession in earlier { succession.later.append(self) }
        for subscription in former { subscription.successions.append(self) }
    }

    var isOver: Bool { left == 0 && earlier.isEmpty }

    /// Takes the subscriptions that may begin now, in order: those of this one and of later ones, if it is over.
    func takeReady() -> [Subscription] {
        guard isOver else { return [] }
        let (ready, later) = (next, later)
        // Whatever follows lets go of it: a client that is always a few topics behind keeps no chain of them.
        (next, self.later, former) = ([], [], [])
        for succession in later { succession.earlier.removeAll { $0 === self } }
        return ready + later.flatMap { $0.takeReady() }
    }
}

extension Hub {
    /// The subscriptions that must finish before this one begins.
    ///
    /// They belong to the same subscriber, and their topic is deleted and has the same name.
    func predecessors(of subscription: Subscription) -> Succession? {
        guard hasPredecessor(subscription.topic) else { return nil }
        let key = ObjectIdentifier(subscription.subscriber)
        let succession: Succession?
        // Many subscriptions of one subscriber may be placed in a row.
        if let sibling = subscription.reader.subscriptions.last, sibling.subscriber === subscription.subscriber,
            let known = sibling.start.predecessors
        {
            succession = known
        } else if let known = successions[key], known.reader === subscription.reader {
            succession = known.succession
        } else {
            succession = findPredecessors(of: subscription)
            if isClaiming { successions[key] = (subscription.reader, succession) }
        }
        guard let succession, !succession.isOver else { return nil }
        succession.next.append(subscription)
        return succession
    }

    private func findPredecessors(of subscription: Subscription) -> Succession? {
        let topic = subscription.topic
        let others = subscription.subscriber.subscriptions.all.filter {
            $0.topic !== topic && $0.topic.nameBytes == topic.nameBytes
        }
        var looked: TopicReader?
        for other in others where other.reader !== looked {
            refresh(other.reader)
            looked = other.reader
        }
        // A pattern may reach a deleted topic after the subscriber has found its successor.
        guard let newest = others.filter(\.topic.isDeleted).max(by: { $0.identity.id < $1.identity.id }) else {
            return nil
        }
        if let known = newest.successions.first(where: { $0.reader === subscription.reader }) { return known }
        return Succession(of: others.filter { $0.reader === newest.reader }, to: subscription.reader)
    }

    /// Starts the subscriptions that waited for this one, if it was the last one to end.
    func wakeSuccessors(of subscription: Subscription) {
        guard !subscription.successions.isEmpty else { return }
        let successions = subscription.successions
        subscription.successions = []
        for succession in successions {
            succession.left -= 1
            for next in succession.takeReady() where next.isActive { replayLater(next) }
        }
        requestTurn()
    }

    /// Whether the subscription may start.
    func finishPredecessors(of subscription: Subscription) -> Bool {
        guard let predecessors = subscription.start.predecessors else { return true }
        guard predecessors.isOver else { return false }
        subscription.start.predecessors = nil
        return true
    }

    /// Delivers what the subscriber accepts of the subscriptions that must finish first.
    func catchUp(_ succession: Succession?) {
        guard let succession, !succession.isOver else { return }
        for earlier in succession.earlier { catchUp(earlier) }
        for subscription in succession.former where subscription.isActive {
            refresh(subscription.reader)
            pumpAll(subscription)
        }
    }
}
