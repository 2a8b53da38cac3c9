import ApusBroker
import ApusProtocol

/// What one connection must be told: the sum of its subscriptions.
///
/// Events name neither their subscription nor the topic's epoch. But no message is published twice. And a connection
/// has at most one subscription with positions and one without positions to each topic.
final class ModelConnection {
    let number: Int
    let hub: Hub
    let origin: UInt32
    var subscriptions: [ModelSubscription] = []
    var isOver = false
    /// For each name, the subscription that waits for its topic, now or after its deletion. At most one for each name.
    var waits: [String: ModelWait] = [:]
    /// For each topic, the number of subscriptions that have ended without the model knowing which.
    private(set) var halfEnded: [Int: Int] = [:]
    /// Whether the connection ever accepted less than it was given.
    var mayLag: Bool
    /// Whether the connection may be closed now because publishers wait for it.
    var mayBeStalled = false
    /// Reports each event with a position, for a client that resumes there.
    var onEvent: ((ModelTopic, Int) -> Void)?
    /// Reports the creation of a topic that the connection waited for with positions.
    var onOpening: ((ModelTopic) -> Void)?
    private unowned let model: Model

    init(number: Int, hub: Hub, mayLag: Bool, model: Model) {
        self.number = number
        self.hub = hub
        origin = UInt32(number + 1)
        self.mayLag = mayLag
        self.model = model
    }

    /// The number of subscriptions that wait for their topic now.
    var waitingCount: Int {
        waits.keys.count { name in !subscriptions.contains { $0.topic.name == name && $0.waits } }
    }

    /// Where a message was published.
    func place(of text: String) -> (topic: ModelTopic, offset: Int)? { model.places[text] }

    func find(_ topic: ModelTopic, isPositioned: Bool) -> ModelSubscription? {
        subscriptions.first { $0.topic === topic && $0.isPositioned == isPositioned }
    }

    /// Checks a record against what the connection must be told.
    ///
    /// - Parameter presenceTopic: for presence news, the topic of the news.
    func receive(_ record: RecordingSubscriber.Record, presenceTopic: Topic?) {
        guard !isOver else { return fail("\(record) after the end") }
        switch record {
        case .event(let name, let message, let key, let offset):
            event(message, of: name, key: key, offset: offset)
        case .dropped(let name, let count, let range):
            guard let subscription = oldest(name, isPositioned: range != nil) else { return fail("\(record)") }
            let range = range.map { Int($0.lowerBound)...Int($0.upperBound) }
            check(subscription.drop(Int(count), range, now: model.now, mayLag: mayLag), subscription)
        case .deleted(let name, let byPattern, let waits):
            deletion(of: name, byPattern: byPattern, waits: waits)
        case .created(let name, let epoch, let isUnrecovered):
            creation(of: name, epoch: epoch, isUnrecovered: isUnrecovered)
        case .slowConsumer(let name):
            guard subscriptions.contains(where: { $0.topic.name == name && mayBeCut($0) }) else {
                return fail("\(record) without reason")
            }
            end()
        case .warning(let name, let lag, let queue):
            let candidates = subscriptions.filter { $0.topic.name == name && $0.options.overflow == .disconnect }
            // The record does not say which of several subscriptions it is for.
            guard candidates.count < 2 else { return candidates.forEach { $0.noteWarningOfOne() } }
            let isRight = candidates.contains {
                $0.warn(lag: Int(lag), queue: queue, now: model.now, mayLag: mayLag) == nil
            }
            if !isRight { fail("\(record) without reason, or twice in one episode") }
        case .presence(_, let hasJoined, let clientID):
            presence(clientID, hasJoined: hasJoined, of: presenceTopic)
        case .presenceDropped, .historyUnavailable, .overloaded, .malformed:
            fail("\(record)")
        }
    }

    /// The connection has closed.
    func end() {
        isOver = true
        model.moment += 1
        let ended = subscriptions
        subscriptions = []
        waits = [:]
        halfEnded = [:]
        for subscription in ended { model.end(subscription, of: self) }
    }

    /// Handles a deletion notice, which does not say which subscription to the topic has ended.
    ///
    /// If it can be either of two, both stay until the notice for the other one comes.
    private func deletion(of name: String, byPattern: Bool, waits: Bool) {
        model.moment += 1
        let all = subscriptions.filter {
            $0.topic.name == name && $0.topic.isOver && $0.isByPattern == byPattern && $0.waits == waits
        }
        guard let topic = all.map(\.topic).min(by: { $0.number < $1.number }) else {
            return fail("was told that \(name) was deleted")
        }
        let candidates = all.filter { $0.topic === topic }
        let ready = candidates.filter { $0.isComplete(now: model.now, mayLag: mayLag) }
        let told = (halfEnded[topic.number] ?? 0) + 1
        guard ready.count >= told else { return fail("was told too early that \(name) was deleted") }
        guard told == candidates.count || ready.count == 1 else {
            halfEnded[topic.number] = told
            return
        }
        halfEnded[topic.number] = nil
        for subscription in ready {
            subscriptions.removeAll { $0 === subscription }
            model.end(subscription, of: self)
        }
    }

    /// A topic that a subscription waited for was created.
    private func creation(of name: String, epoch: String, isUnrecovered: Bool) {
        let told = subscriptions.first { $0.topic.name == name && $0.topic.epoch == epoch && $0.owedOpening != nil }
        guard let told, told.owedOpening == isUnrecovered else {
            return fail("was told that \(name) of \(epoch) was made, unrecovered: \(isUnrecovered)")
        }
        guard oldest(name, isPositioned: told.isPositioned) === told else {
            return fail("was told that \(name) was made before it was told that the last one is gone")
        }
        told.owedOpening = nil
        if told.isPositioned { onOpening?(told.topic) }
    }

    /// If topics of one name follow each other, subscriptions to older topics must finish first.
    private func oldest(_ name: String, isPositioned: Bool) -> ModelSubscription? {
        subscriptions.filter { $0.topic.name == name && $0.isPositioned == isPositioned }
            .min { $0.topic.number < $1.topic.number }
    }

    private func event(_ text: String, of name: String, key: String?, offset: UInt64?) {
        guard let place = place(of: text) else { return fail("\(text) was not published") }
        guard place.topic.name == name, offset == nil || offset == UInt64(place.offset) else {
            return fail("\(text) came as \(name) \(offset ?? 0)")
        }
        guard let subscription = find(place.topic, isPositioned: offset != nil) else {
            return fail("\(name) \(place.offset) came without a subscription")
        }
        guard oldest(name, isPositioned: offset != nil) === subscription else {
            return fail("\(name) \(place.offset) came before its predecessor's end")
        }
        guard subscription.owedOpening == nil else {
            return fail("\(name) \(place.offset) came before it was told that the topic is there")
        }
        let isKeyTold = subscription.options.detail != .plain
        guard key == (isKeyTold ? place.topic.messages[place.offset - 1].key.map { "\"\($0)\"" } : nil) else {
            return fail("\(name) \(place.offset) came with the key \(key ?? "none")")
        }
        check(subscription.take(place.offset, now: model.now, mayLag: mayLag), subscription)
        if subscription.isPositioned { onEvent?(place.topic, place.offset) }
    }

    private func mayBeCut(_ subscription: ModelSubscription) -> Bool {
        let lag = subscription.lag(now: model.now).upperBound
        switch subscription.options.overflow {
        case .disconnect: return mayLag && lag > subscription.options.queue || subscription.topic.isTight
        case .throttle:
            // Publishers wait at the bound, kept or not.
            let lag = lag + subscription.topic.commits.count
            return mayBeStalled && lag >= subscription.options.queue || subscription.topic.isTight
        case .dropOldest, .dropNewest, .latest: return false
        }
    }

    /// - Parameter topic: the topic of the news. Deleted topics may have the same name.
    private func presence(_ clientID: String, hasJoined: Bool, of topic: Topic?) {
        let watching = subscriptions.filter { $0.topic.real === topic }
        for subscription in watching where subscription.news.take(clientID, hasJoined: hasJoined) { return }
        guard !watching.contains(where: { $0.topic.lateJoiners.contains(clientID) }) else { return }
        fail("was told that \(clientID) \(hasJoined ? "joined" : "left"), not \(watching.map(\.news))")
    }

    private func check(_ mistake: String?, _ subscription: ModelSubscription) {
        if let mistake { fail("\(subscription.clientID) on \(subscription.topic.name) \(mistake)") }
    }

    func fail(_ mistake: String) {
        model.mistakes.append("connection \(number) \(mistake)")
    }
}
