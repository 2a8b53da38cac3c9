import ApusBroker
import ApusTesting

/// What one subscription must see next: the naive model, a list of messages and a place in it.
struct ExpectedSubscription: Hashable {
    let topic: Int
    let clientID: String
    let queue: Int
    let overflow: OverflowPolicy
    /// The index of the next message it must get.
    var next: Int
    /// What lies before this it asked for itself: no lag.
    var replayEnd: Int
}

/// What one subscriber must see, told of every command and shown everything that comes in.
///
/// Events do not say which client_id they are for. So this keeps every assignment of events to subscriptions that is
/// possible so far; with none left, something was lost, doubled, or out of order.
final class ExpectedSubscriber {
    private(set) var possible: Set<[ExpectedSubscription]> = [[]]
    private(set) var mistakes: [String] = []
    private(set) var isOver = false
    /// Whether it ever took less than it was given.
    var wasBlocked = false
    private let model: NaiveModel

    init(model: NaiveModel) {
        self.model = model
    }

    // MARK: Commands

    func subscribe(topic: Int, clientID: String, lastN: Int, queue: Int, overflow: OverflowPolicy) {
        let head = model.topics[topic].messages.count
        let start = max(head - min(lastN, model.history), 0)
        change { subscriptions in
            let index = subscriptions.firstIndex { $0.topic == topic && $0.clientID == clientID }
            guard let index else {
                subscriptions.append(
                    ExpectedSubscription(
                        topic: topic,
                        clientID: clientID,
                        queue: queue,
                        overflow: overflow,
                        next: start,
                        replayEnd: head
                    )
                )
                return
            }
            guard start < subscriptions[index].next else { return }
            subscriptions[index].next = start
            subscriptions[index].replayEnd = head
        }
    }

    func unsubscribe(topic: Int, clientID: String, isComplete: Bool) {
        if isComplete {
            let head = model.topics[topic].messages.count
            keep("an unsubscribe came before what was published") { subscriptions in
                subscriptions.allSatisfy { $0.topic != topic || $0.clientID != clientID || $0.next == head }
            }
        }
        change { $0.removeAll { $0.topic == topic && $0.clientID == clientID } }
    }

    func disconnect() {
        isOver = true
        possible = [[]]
    }

    // MARK: What comes in

    func receive(_ record: RecordingSubscriber.Record) {
        guard !isOver else { return mistakes.append("\(record) after the end") }
        let before = possible
        var after: Set<[ExpectedSubscription]> = []
        for subscriptions in possible {
            for index in subscriptions.indices {
                if let changed = apply(record, to: subscriptions, at: index) { after.insert(changed) }
            }
        }
        possible = after
        if after.isEmpty {
            mistakes.append("\(record) does not fit \(before)")
            possible = before
        }
        if case .slowConsumer = record { disconnect() }
    }

    private func apply(
        _ record: RecordingSubscriber.Record,
        to subscriptions: [ExpectedSubscription],
        at index: Int
    ) -> [ExpectedSubscription]? {
        let subscription = subscriptions[index]
        let topic = model.topics[subscription.topic]
        let head = topic.messages.count
        var changed = subscriptions
        switch record {
        case .event(topic.name, let message):
            // A topic of the same name that is gone must have come to its end first.
            let hasPredecessor = subscriptions.contains {
                $0.topic < subscription.topic && model.topics[$0.topic].name == topic.name
            }
            guard subscription.next < head, topic.messages[subscription.next] == message, !hasPredecessor else {
                return nil
            }
            changed[index].next += 1
        case .dropped(topic.name, let count):
            // The newest `queue` stay, and only one that stopped reading loses anything.
            guard subscription.overflow == .dropOldest, wasBlocked, count > 0,
                head - subscription.next - Int(count) >= subscription.queue
            else { return nil }
            changed[index].next += Int(count)
        case .deleted(topic.name):
            guard topic.isDeleted, subscription.next == head else { return nil }
            changed.remove(at: index)
        case .slowConsumer(topic.name):
            let lag = head - max(subscription.next, subscription.replayEnd)
            guard subscription.overflow == .disconnect, wasBlocked, lag > subscription.queue else { return nil }
        default:
            return nil
        }
        return changed
    }

    /// Checks that a publish that went through has not led a throttling subscription beyond its bound.
    func checkThrottle() {
        keep("published beyond the bound of a throttling subscription") { subscriptions in
            subscriptions.allSatisfy { subscription in
                let head = model.topics[subscription.topic].messages.count
                let lag = head - max(subscription.next, subscription.replayEnd)
                return subscription.overflow != .throttle || lag <= subscription.queue
            }
        }
    }

    /// Checks that nothing is missing, when everything has been taken.
    func checkComplete() {
        keep("something never came") { subscriptions in
            subscriptions.allSatisfy { subscription in
                let topic = model.topics[subscription.topic]
                return !topic.isDeleted && subscription.next == topic.messages.count
            }
        }
    }

    func count(of topic: Int) -> Int {
        possible.first.map { $0.filter { $0.topic == topic }.count } ?? 0
    }

    private func change(_ body: (inout [ExpectedSubscription]) -> Void) {
        possible = Set(
            possible.map { subscriptions in
                var changed = subscriptions
                body(&changed)
                return changed
            }
        )
    }

    private func keep(_ mistake: String, where condition: ([ExpectedSubscription]) -> Bool) {
        let kept = possible.filter(condition)
        if kept.isEmpty { mistakes.append("\(mistake): \(possible)") } else { possible = kept }
    }
}

/// All messages ever, in plain lists.
final class NaiveModel {
    struct NaiveTopic {
        let name: String
        var messages: [String] = []
        var isDeleted = false
    }

    let history: Int
    /// Every topic there ever was; one made again is another one.
    var topics: [NaiveTopic] = []

    init(history: Int) {
        self.history = history
    }

    func index(of name: String) -> Int? {
        topics.lastIndex { $0.name == name && !$0.isDeleted }
    }
}
