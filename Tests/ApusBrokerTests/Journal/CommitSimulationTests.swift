import ApusProtocol
import ApusTesting
import Testing

@testable import ApusBroker

/// Publishers, subscribers and a journal that is slow and sometimes full, in any order.
@Suite struct CommitSimulationTests {
    @Test(arguments: 0..<200)
    func `what is acknowledged is seen once and in order, and what failed never`(seed: UInt64) throws {
        var world = try CommitWorld(seed: seed)
        for _ in 0..<150 { try world.step() }
        try world.finish()
    }
}

private struct CommitWorld {
    static let names = ["a", "b"]
    let journal = ManualJournal()
    let loop: ManualLoop
    var generator: SeededGenerator
    var publishers: [RecordedPublisher] = []
    var subscribers: [(recorder: RecordingSubscriber, topic: String, start: Offset)] = []
    var lastNumber = 0

    init(seed: UInt64) throws {
        generator = SeededGenerator(seed: seed)
        let limits = MemoryBroker.Limits(history: 1000, uncommittedBytes: seed.isMultiple(of: 3) ? 300 : 1 << 20)
        loop = ManualLoop(hubs: 2, limits: limits, journal: journal, seed: seed)
        for name in Self.names {
            let window = generator.chance(50) ? Int64(1_000_000) : nil
            _ = try loop.broker.putTopic(named: name) { $0.dedupeWindow = window }
        }
    }

    private func random(_ range: ClosedRange<Int>, _ generator: inout SeededGenerator) -> Int {
        Int.random(in: range, using: &generator)
    }

    mutating func step() throws {
        let name = Self.names[random(0...1, &generator)]
        let hub = random(0...1, &generator)
        switch random(0...9, &generator) {
        case 0...3:
            let isRepetition = generator.chance(15) && !publishers.isEmpty
            if !isRepetition { lastNumber += 1 }
            let number = isRepetition ? random(1...lastNumber, &generator) : lastNumber
            let count = isRepetition ? 1 : random(1...4, &generator)
            lastNumber += count - 1
            let publisher = RecordedPublisher(loop, hub: hub, topic: name, numbers: Array(number..<number + count))
            publishers.append(publisher)
            publisher.publishAgain()
        case 4:
            guard let topic = loop.broker.topic(named: name) else { return }
            let recorder = RecordingSubscriber(on: loop.hubs[hub])
            let start = topic.publishedCount + 1
            try loop.subscribe(recorder, to: name, on: hub)
            subscribers.append((recorder, name, start))
        case 5...6: loop.runNext()
        case 7: journal.take()
        case 8: journal.settle()
        default:
            let isFull = generator.chance(30)
            journal.settle(isFull ? .failed(CommitFailure(message: "full", isFinal: false)) : .kept)
        }
    }

    mutating func finish() throws {
        for _ in 0..<100 {
            loop.runUntilIdle()
            journal.run()
        }
        loop.runUntilIdle()
        for publisher in publishers { #expect(publisher.result != nil, "\(publisher.numbers) wait for ever") }
        for name in Self.names { try check(name) }
        let counters = loop.counters
        #expect(counters.matched == counters.delivered)
    }

    private func check(_ name: String) throws {
        let topic = try #require(loop.broker.topic(named: name))
        let page = try #require(try topic.page(from: .all, limit: 10_000, now: loop.clock.now))
        let kept = page.entries.map { String(decoding: $0.message, as: UTF8.self) }
        #expect(page.entries.map(\.offset) == (0..<UInt64(kept.count)).map { $0 + 1 })
        // What the journal has is what everybody sees.
        #expect(journal.kept(topic).reduce(0) { $0 + $1.count } == kept.count)
        for (recorder, topic, start) in subscribers where topic == name {
            let seen = recorder.records.compactMap { record -> String? in
                if case .event(_, let message, _, _) = record { message } else { nil }
            }
            #expect(seen == Array(kept[Int(start - 1)...]))
        }
        for publisher in publishers where publisher.topic == name {
            let texts = publisher.numbers.map { ManualLoop.message($0) }
            switch publisher.result {
            // Where a part was a repetition, the rest is where it comes.
            case .kept(let receipt) where receipt.count > 0 && receipt.duplicates > 0: break
            case .kept(let receipt) where receipt.count > 0:
                let first = Int(receipt.offset) - 1
                #expect(Array(kept[first..<first + texts.count]) == texts)
            case .kept(let receipt):
                #expect(kept[Int(receipt.offset) - 1] == texts[0])
            case .failed, nil:
                // Another publisher may have published the same later.
                break
            }
        }
        let isDeduplicated = topic.settings.dedupeWindow != nil
        if isDeduplicated { #expect(Set(kept).count == kept.count) }
    }
}

/// Publishes numbers as one batch, and notes what came of it.
private final class RecordedPublisher: WaitingPublisher, CommitWaiter {
    enum Result {
        case kept(PublishReceipt)
        case failed
    }

    let numbers: [Int]
    let topic: String
    private(set) var result: Result?
    private var receipt: PublishReceipt?
    private let loop: ManualLoop
    private let hub: Int

    init(_ loop: ManualLoop, hub: Int, topic: String, numbers: [Int]) {
        (self.loop, self.hub, self.topic, self.numbers) = (loop, hub, topic, numbers)
    }

    func publishAgain() {
        guard let topic = loop.broker.topic(named: topic),
            let outcome = try? loop.publishBatch(numbers.map { BatchItem($0) }, to: self.topic, on: hub)
        else { return }
        switch outcome {
        case .published(let receipt): result = .kept(receipt)
        case .uncommitted(let receipt):
            self.receipt = receipt
            loop.hubs[hub].wait(self, for: loop.hubs[hub].newestCommit)
        case .throttled, .held: loop.hubs[hub].wait(self, for: topic, outcome)
        case .deleted, .needsPublication, .rateLimited: Issue.record("\(outcome)")
        }
    }

    func settled(_ commit: Commit, _ outcome: Commit.Outcome) {
        if case .kept = outcome, let receipt { result = .kept(receipt) } else { result = .failed }
    }
}
