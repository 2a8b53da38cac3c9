import ApusTesting

@testable import ApusBroker

/// Tests of a broker with a journal that writes when they say so.
protocol Journaled {
    var journal: ManualJournal { get }
}

extension Journaled {
    /// A loop with the topic `t`.
    func loop(hubs: Int = 1, limits: MemoryBroker.Limits = .init()) throws -> ManualLoop {
        let loop = ManualLoop(hubs: hubs, limits: limits, journal: journal)
        try loop.broker.createTopic(named: "t")
        return loop
    }

    /// Has the journal keep, or fail, what was published so far.
    func commit(_ loop: ManualLoop, _ outcome: Commit.Outcome = .kept) {
        loop.runUntilIdle()
        journal.run(outcome)
        loop.runUntilIdle()
    }
}
