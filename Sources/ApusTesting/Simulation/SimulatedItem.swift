import ApusBroker
import ApusProtocol

/// One message that a simulated publisher sends.
struct SimulatedItem: CustomStringConvertible {
    let text: String
    let id: String
    var key: String?
    var ttl: Int64?

    /// Creates a message.
    ///
    /// - Parameter number: makes the text unique.
    init(number: Int, id: String, key: String? = nil, ttl: Int64? = nil) {
        text = "{\"id\":\"\(id)\",\"n\":\(number)}"
        self.id = id
        self.key = key
        self.ttl = ttl
    }

    var description: String {
        text + (key.map { " key \($0)" } ?? "") + (ttl.map { " for \($0) ms" } ?? "")
    }
}

/// Publishes one batch, and waits as long as it is told to.
final class SimulatedPublisher: WaitingPublisher, CommitWaiter {
    let items: [SimulatedItem]
    let topic: ModelTopic
    let origin: UInt32
    let hub: Hub
    private(set) var isDone = false
    /// What it waits for when its publish is done.
    private var publish: ModelPublish?
    private unowned let model: Model
    private let passage: Passage

    init(_ items: [SimulatedItem], to topic: ModelTopic, origin: UInt32, hub: Hub, model: Model, passage: Passage) {
        self.items = items
        self.topic = topic
        self.origin = origin
        self.hub = hub
        self.model = model
        self.passage = passage
    }

    func publishAgain() {
        let time = Timestamp(passage.time(model.time))
        var outcome = PublishOutcome.needsPublication
        if items.count == 1, items[0].key == nil, items[0].ttl == nil {
            outcome = publishBare(time: time)
            let isOdd = outcome == .needsPublication ? !topic.needsPublication : topic.needsPublication
            if isOdd, outcome != .deleted { fail("a bare message met \(outcome)") }
        }
        if outcome == .needsPublication { outcome = publishAll(time: time) }
        outcome = passage.outcome(outcome)
        switch outcome {
        case .published(let receipt), .uncommitted(let receipt):
            isDone = true
            if topic.isDeleted { fail("was published to after its deletion") }
            if let mistake = model.note(published: receipt.count, from: hub, to: topic) { fail(mistake) }
            let isCommitted = if case .published = outcome { true } else { false }
            publish = model.accept(receipt, by: self, isCommitted: isCommitted)
            if !isCommitted { hub.wait(self, for: hub.newestCommit) }
        case .throttled:
            if !topic.mayThrottle { fail("made a publisher wait without reason") }
            hub.wait(self, for: topic.real, outcome)
        case .held:
            if !model.pacesPublishers, !topic.mayHoldForJournal {
                fail("made a publisher wait for a loop without reason")
            }
            hub.wait(self, for: topic.real, outcome)
        case .rateLimited:
            fail("was refused for a rate that it does not have")
        case .deleted:
            isDone = true
            if !topic.isDeleted { fail("said that it is deleted") }
        case .needsPublication:
            fail("refused a publication")
        }
        if topic.real.publishedCount != UInt64(topic.messages.count) { fail("took something by halves") }
    }

    func settled(_ commit: Commit, _ outcome: Commit.Outcome) {
        guard let publish else { return fail("settled a publish that was done") }
        if let mistake = model.answer(publish, isKept: outcome == .kept) { fail(mistake) }
    }

    private func publishBare(time: Timestamp) -> PublishOutcome {
        var text = items[0].text
        return text.withUTF8 { hub.publish(UnsafeRawBufferPointer($0), to: topic.real, time: time, origin: origin) }
    }

    private func publishAll(time: Timestamp) -> PublishOutcome {
        let texts = items.map { Array($0.text.utf8) }
        return Array(texts.joined()).withUnsafeBytes { bytes in
            var start = 0
            let publications = zip(items, texts).map { item, text in
                defer { start += text.count }
                return Publication(
                    message: UnsafeRawBufferPointer(rebasing: bytes[start..<(start + text.count)]),
                    id: item.id,
                    key: item.key,
                    ttl: item.ttl
                )
            }
            return hub.publish(publications, to: topic.real, time: time, origin: origin)
        }
    }

    private func fail(_ mistake: String) {
        model.mistakes.append("\(topic.name) \(mistake)")
    }
}
