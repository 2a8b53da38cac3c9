import ApusBroker

/// A publish that waits until a journal has kept it.
final class ModelPublish {
    let topic: ModelTopic
    let hub: Hub
    /// Without repetitions.
    let messages: [ModelTopic.Message]
    /// Whether the journal has kept it; `nil` until it is settled.
    var isKept: Bool?

    init(_ messages: [ModelTopic.Message], to topic: ModelTopic, from hub: Hub) {
        (self.messages, self.topic, self.hub) = (messages, topic, hub)
    }
}

/// What was published to a topic and is not settled.
struct ModelCommits {
    /// What the journal has.
    private var taken: [ModelPublish]?
    private var waiting: [ModelPublish] = []

    var isEmpty: Bool { taken == nil && waiting.isEmpty }
    var isUnderWay: Bool { taken != nil }
    /// How many messages nobody can read yet.
    var count: Int { Self.count(taken ?? []) + Self.count(waiting) }

    /// - Parameter distance: how many of the messages come before the newest one that the publish is, or repeats.
    mutating func add(_ publish: ModelPublish, at distance: Int) {
        if distance < Self.count(taken ?? []) { taken?.append(publish) } else { waiting.append(publish) }
    }

    /// The journal takes what waits.
    ///
    /// - Returns: how many messages that must be.
    mutating func take() -> Int {
        taken = waiting
        waiting = []
        return count
    }

    /// Ends the commit under way. If it fails, everything does.
    mutating func settle(isKept: Bool) -> [ModelPublish] {
        var settled = taken ?? []
        taken = nil
        if !isKept {
            settled += waiting
            waiting = []
        }
        for publish in settled { publish.isKept = isKept }
        return settled
    }

    private static func count(_ publishes: [ModelPublish]) -> Int {
        publishes.reduce(0) { $0 + $1.messages.count }
    }
}

extension Model {
    /// The journal has kept what it took of a topic, or failed to.
    func settle(_ topic: ModelTopic, isKept: Bool) {
        let settled = topic.commits.settle(isKept: isKept)
        if isKept {
            for publish in settled { show(publish.messages, of: topic) }
        } else {
            topic.dedupe?.forget(from: topic.head)
        }
        unanswered += settled
    }

    /// A publisher was told what came of its publish. Returns a mistake if that is not so, or not its turn.
    func answer(_ publish: ModelPublish, isKept: Bool) -> String? {
        guard let expected = publish.isKept else { return "answered a publish before its commit" }
        guard expected == isKept else { return "told a publisher that its publish was kept: \(isKept)" }
        let first = unanswered.firstIndex { $0.topic === publish.topic && $0.hub === publish.hub }
        guard let first, unanswered[first] === publish else {
            return "answered a publish twice, or before an older one"
        }
        unanswered.remove(at: first)
        return nil
    }
}
