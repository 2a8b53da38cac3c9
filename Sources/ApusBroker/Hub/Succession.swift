/// A subscriber's subscriptions to a topic that is gone, and its subscriptions to the topic that has its name now:
/// these begin when all of the former have come to their end. One object for all of them, however many they are.
/// Belongs to its hub's loop.
///
/// ```
/// former (deleted) ──counted by left──► Succession ──wakes──► next
///                                           └─ earlier: what the former wait for themselves
/// ```
final class Succession {
    /// Where the next ones are.
    let reader: TopicReader
    let former: [Subscription]
    /// How many of the former have not ended.
    var left: Int
    /// Over before this one, unless former ones were ended before their time.
    let earlier: Succession?
    private(set) weak var later: Succession?
    var next: [Subscription] = []

    init(of former: [Subscription], to reader: TopicReader) {
        self.reader = reader
        self.former = former
        left = former.count
        earlier = former.lazy.compactMap(\.predecessors).first { !$0.isOver }
        earlier?.later = self
        for subscription in former { subscription.succession = self }
    }

    var isOver: Bool { left == 0 && earlier?.isOver ?? true }
}

extension Hub {
    /// The subscriptions of the same subscriber, to a topic of the same name that is gone, which come to their end
    /// before this one begins.
    func predecessors(of subscription: Subscription) -> Succession? {
        guard hasPredecessor(subscription.topic) else { return nil }
        let key = ObjectIdentifier(subscription.subscriber)
        let succession: Succession?
        // Many of one subscriber may be placed one after the other.
        if let sibling = subscription.reader.subscriptions.last, sibling.subscriber === subscription.subscriber,
            let known = sibling.predecessors
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
        // A pattern may come to a topic that is gone after the subscriber found the one that took its place.
        guard let newest = others.filter(\.reader.isDeleted).max(by: { $0.id < $1.id }) else { return nil }
        if let known = newest.succession, known.reader === subscription.reader { return known }
        return Succession(of: others.filter { $0.reader === newest.reader }, to: subscription.reader)
    }

    /// Has those go on that waited for a subscription which has ended.
    func wakeSuccessors(of subscription: Subscription) {
        guard let succession = subscription.succession.take() else { return }
        succession.left -= 1
        var over: Succession? = succession
        while let ended = over, ended.isOver {
            for next in ended.next where next.isActive { replaying.append(next) }
            ended.next = []
            over = ended.later
            requestTurn()
        }
    }

    /// Whether the subscription may start.
    func finishPredecessors(of subscription: Subscription) -> Bool {
        guard let predecessors = subscription.predecessors else { return true }
        guard predecessors.isOver else { return false }
        subscription.predecessors = nil
        return true
    }

    /// Delivers what fits now of what must come to its end first.
    func catchUp(_ succession: Succession?) {
        guard let succession, !succession.isOver else { return }
        catchUp(succession.earlier)
        for subscription in succession.former where subscription.isActive {
            refresh(subscription.reader)
            pump(subscription)
        }
    }
}
