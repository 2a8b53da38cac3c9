import ApusBroker

// What a slow journal does, which is sometimes full and may fail for good.

extension SimulatedWorld {
    /// The journal comes to one of the topics that wait for it, or ends one of its commits. Neither has any order.
    func stepJournal() {
        let underWay = model.topics.filter(\.commits.isUnderWay)
        if generator.chance(50), let topic = underWay.randomElement(using: &generator) {
            settle(topic)
        } else if let real = journal?.waiting.randomElement(using: &generator) {
            take(real)
        }
    }

    private func take(_ real: Topic) {
        guard let topic = model.topics.last(where: { $0.real === real }) else { return fail("an unknown topic waits") }
        let mayTake = !topic.commits.isUnderWay && !topic.commits.isEmpty
        guard let offsets = journal?.take(real) else {
            if mayTake { fail("\(topic.name) has nothing for the journal") }
            return
        }
        note("the journal takes \(offsets) of \(topic.name)")
        guard mayTake else { return fail("\(topic.name) gave \(offsets) to the journal") }
        let count = topic.commits.take()
        guard offsets == (topic.head..<(topic.head + count)).map({ UInt64($0) }) else {
            return fail("\(topic.name) gave \(offsets) to the journal, not \(count) from \(topic.head) on")
        }
    }

    private func settle(_ topic: ModelTopic) {
        if generator.chance(1) { journal?.fail(for: CommitFailure(message: "broken", isFinal: true)) }
        var failure = journal?.failure
        if failure == nil, generator.chance(20) { failure = CommitFailure(message: "full", isFinal: false) }
        note("the journal settles \(topic.name): \(failure?.message ?? "kept")")
        model.settle(topic, isKept: failure == nil)
        topic.real.settle(passage.outcome(failure.map { .failed($0) } ?? .kept))
    }

    /// Has the journal do all that there is to do.
    func finishCommits() {
        for _ in 0..<10_000 where model.mistakes.isEmpty {
            loop.runUntilIdle()
            if model.topics.allSatisfy(\.commits.isEmpty) { return }
            stepJournal()
        }
        if model.mistakes.isEmpty { fail("the journal is never done") }
    }

    func checkCommits() {
        if let publish = model.unanswered.first { fail("\(publish.topic.name) never answered a publish") }
        for topic in model.topics {
            if topic.real.hasUncommitted == topic.commits.isEmpty {
                fail("\(topic.name) has \(topic.commits.count) messages for the journal")
            }
            // Otherwise the journal would never come.
            let isNamed = journal?.waiting.contains { $0 === topic.real } ?? false
            if !topic.commits.isEmpty, !topic.commits.isUnderWay, !isNamed { fail("\(topic.name) is forgotten") }
        }
    }
}
