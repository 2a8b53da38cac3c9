import ApusBroker
import ApusTesting
import Foundation
import Testing

/// Ten thousand worlds against a naive model. A failure prints its seed, and what happened in its world.
///
/// `APUS_FIRST_SEED=10000 swift test --filter SimulationTests` takes others.
@Suite struct SimulationTests {
    private static let seeds: UInt64 = 10_000
    private static let firstSeed = ProcessInfo.processInfo.environment["APUS_FIRST_SEED"].flatMap(UInt64.init) ?? 0
    private static let blocks: UInt64 = 50

    @Test(arguments: 0..<blocks)
    func `everything that happens is what the model says must happen`(block: UInt64) {
        let size = Self.seeds / Self.blocks
        let first = Self.firstSeed + block * size
        for seed in first..<first + size {
            // Most are short: more worlds find more than longer ones. But some states take long to come about.
            guard let failure = Simulation(seed: seed).run(steps: seed % 5 == 0 ? 200 : 60) else { continue }
            Issue.record("\(failure)")
            return
        }
    }

    struct Fault: CustomTestStringConvertible {
        let testDescription: String
        let fault: PlantedFault
        /// So many seeds are enough to find it.
        let seeds: UInt64
    }

    @Test(arguments: [
        Fault(testDescription: "a resume that skips one", fault: .skipsOneAfterResume, seeds: 50),
        Fault(testDescription: "a resume that repeats one", fault: .repeatsOneAfterResume, seeds: 50),
        Fault(testDescription: "a drop that is not announced", fault: .dropsSilently, seeds: 50),
        Fault(testDescription: "a dedupe window that forgets too early", fault: .forgetsIDsEarly, seeds: 2000),
        Fault(
            testDescription: "a pattern that misses a new topic's start",
            fault: .missesFirstOfNewTopics,
            seeds: 200
        ),
        Fault(testDescription: "publishers that run ahead of loops", fault: .outrunsLoops, seeds: 200),
        Fault(
            testDescription: "a waiting subscription that misses its topic's first message",
            fault: .missesFirstOfAwaited,
            seeds: 200
        ),
        Fault(
            testDescription: "a waiting subscription that does not wait again",
            fault: .waitsOnlyOnce,
            seeds: 200
        ),
        Fault(testDescription: "lifetimes and windows by the wall clock", fault: .agesByWallClock, seeds: 500),
        Fault(testDescription: "last messages that have expired", fault: .countsExpired, seeds: 500),
        Fault(testDescription: "expired messages that stay in memory", fault: .keepsExpired, seeds: 500),
        Fault(testDescription: "a reader told of an uncommitted head", fault: .tellsUncommittedHead, seeds: 200),
        Fault(testDescription: "an ack before its commit", fault: .acksBeforeCommit, seeds: 200),
        Fault(testDescription: "messages that could not be kept", fault: .deliversFailed, seeds: 200),
    ])
    func `a planted fault is found`(fault: Fault) {
        let found = (0..<fault.seeds).first { Simulation(seed: $0, fault: fault.fault).run(steps: 200) != nil }
        #expect(found != nil)
    }

    @Test func `a seed is the same world each time`() {
        let journals = (0...1).map { _ in
            var lines: [String] = []
            _ = Simulation(seed: 7).run { lines.append($0) }
            return lines
        }
        #expect(journals[0] == journals[1] && journals[0].count > 60)
    }
}
