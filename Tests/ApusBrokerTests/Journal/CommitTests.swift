import ApusProtocol
import ApusTesting
import Testing

@testable import ApusBroker

/// A message that is to be kept is published when it is kept: not before, and not at all if that fails.
@Suite struct CommitTests: Journaled {
    let journal = ManualJournal()
    private let failure = CommitFailure(message: "the disk is full", isFinal: false)

    @Test func `nobody gets a message before it is kept`() throws {
        let loop = try loop(hubs: 2)
        let subscribers = loop.hubs.map { RecordingSubscriber(on: $0) }
        for hub in 0...1 { try loop.subscribe(subscribers[hub], on: hub) }
        try loop.publish(1...3)
        loop.runUntilIdle()
        let topic = try #require(journal.waiting.first)
        #expect(subscribers.allSatisfy { $0.records.isEmpty })
        #expect(topic.publishedCount == 0)
        #expect(topic.inspect(now: 0).last == 0)
        journal.run()
        loop.runUntilIdle()
        for subscriber in subscribers { #expect(subscriber.numbers == [1, 2, 3]) }
        #expect(topic.publishedCount == 3)
        #expect(journal.kept(topic).map(\.count) == [3])
    }

    @Test func `publishers hear of it once it is kept, each once for a commit`() throws {
        let loop = try loop()
        let publisher = CommitRecorder()
        for number in 1...3 {
            guard case .uncommitted(let receipt) = try loop.publish(number), let commit = loop.hubs[0].newestCommit
            else {
                Issue.record("published at once")
                return
            }
            #expect(receipt.offset == UInt64(number))
            #expect(receipt.stored == .disk)
            loop.hubs[0].wait(publisher, for: commit)
        }
        loop.runUntilIdle()
        #expect(publisher.outcomes.isEmpty)
        commit(loop)
        #expect(publisher.outcomes == [.kept])
    }

    @Test func `what is published while the journal writes is the next commit`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber)
        try loop.publish(1)
        loop.runUntilIdle()
        journal.take()
        try loop.publish(2...3)
        loop.runUntilIdle()
        #expect(journal.take() == 0, "what was taken before is not settled")
        journal.settle()
        loop.runUntilIdle()
        #expect(subscriber.numbers == [1])
        // The hub named the topic before the first commit was settled, so the journal has to come back to it.
        journal.run()
        loop.runUntilIdle()
        #expect(subscriber.numbers == [1, 2, 3])
    }

    @Test func `what could not be kept was never there, and its offsets are used again`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let publisher = CommitRecorder()
        try loop.subscribe(subscriber)
        try loop.publish(1)
        commit(loop)
        #expect(try loop.publish(2).isUncommitted)
        let first = loop.hubs[0].newestCommit
        loop.hubs[0].wait(publisher, for: first)
        loop.runUntilIdle()
        journal.take()
        #expect(try loop.publish(3).isUncommitted)
        let second = loop.hubs[0].newestCommit
        #expect(first !== second)
        loop.hubs[0].wait(publisher, for: second)
        journal.settle(.failed(failure))
        loop.runUntilIdle()
        #expect(publisher.outcomes == [.failed(failure), .failed(failure)])
        #expect(subscriber.numbers == [1])
        #expect(try loop.publish(4).offset == 2)
        commit(loop)
        #expect(subscriber.numbers == [1, 4])
        let counters = loop.counters
        #expect(counters.published == 2)
        #expect(counters.matched == counters.delivered)
    }

    @Test func `a subscription that begins meanwhile gets the message, and the books balance`() throws {
        let loop = try loop(hubs: 2)
        let subscriber = RecordingSubscriber(on: loop.hubs[1])
        try loop.publish(1)
        commit(loop)
        try loop.publish(2)
        loop.runUntilIdle()
        journal.take()
        try loop.follow(subscriber, since: .all, on: 1)
        loop.runUntilIdle()
        #expect(subscriber.numbers == [1])
        journal.settle()
        loop.runUntilIdle()
        #expect(subscriber.numbers == [1, 2])
        let counters = loop.counters
        #expect(counters.matched + counters.replayed == counters.delivered)
    }

    @Test func `a position that is not kept yet is in the future`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.publish(1...2)
        loop.runUntilIdle()
        let epoch = try #require(loop.broker.topic(named: "t")?.epoch)
        #expect(throws: BrokerError.self) {
            try loop.follow(subscriber, since: .position(epoch: epoch, offset: 1))
        }
        commit(loop)
        let receipt = try loop.follow(subscriber, since: .position(epoch: epoch, offset: 1))
        #expect(receipt.isRecovered == true)
        loop.runUntilIdle()
        #expect(subscriber.numbers == [2])
    }

    @Test func `a repetition waits with what it repeats, and is new if that failed`() throws {
        let loop = try loop()
        _ = try loop.broker.putTopic(named: "t") { $0.dedupeWindow = 60_000 }
        guard case .uncommitted(let first) = try loop.publish(1, id: "a"), let commit = loop.hubs[0].newestCommit,
            case .uncommitted(let repetition) = try loop.publish(1, id: "a")
        else { throw BrokerError(.notKept, "published at once") }
        #expect(commit === loop.hubs[0].newestCommit)
        #expect((first.count, repetition.count, repetition.duplicates) == (1, 0, 1))
        #expect(repetition.offset == first.offset)
        self.commit(loop, .failed(failure))
        guard case .uncommitted(let again) = try loop.publish(1, id: "a") else { throw BrokerError(.notKept, "") }
        #expect(again.count == 1)
        self.commit(loop)
        #expect(try loop.publish(1, id: "a") == .published(again.repeated))
        #expect(loop.counters.duplicates == 1)
    }

    @Test func `publishers wait when too much waits for the journal`() throws {
        let loop = try loop(limits: .init(uncommittedBytes: 1000))
        let topic = try #require(loop.broker.topic(named: "t"))
        let publisher = RetryingPublisher(loop, topic: topic, from: 1, through: 200)
        publisher.start()
        #expect(publisher.outcomes.last == .held)
        var rounds = 0
        while !publisher.isDone, rounds < 200 {
            commit(loop)
            rounds += 1
        }
        #expect(publisher.isDone)
        #expect(rounds > 3)
        commit(loop)
        #expect(topic.publishedCount == 200)
    }

    @Test func `a throttling subscription holds publishers at its bound, kept or not`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, queue: 3, overflow: .throttle)
        subscriber.block()
        for number in 1...3 { #expect(try loop.publish(number).offset == UInt64(number)) }
        #expect(try loop.publish(4) == .throttled)
        commit(loop)
        #expect(try loop.publish(4) == .throttled)
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(try loop.publish(4).offset == 4)
    }

    @Test func `a key replaces an older one in another commit`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, overflow: .latest)
        subscriber.block()
        for number in 1...6 {
            try loop.publish(number, key: "k\(number % 2)")
            if number.isMultiple(of: 3) { commit(loop) }
        }
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(subscriber.numbers == [5, 6])
    }
}

/// Notes what comes of its publishes.
private final class CommitRecorder: CommitWaiter {
    private(set) var outcomes: [Commit.Outcome] = []

    func settled(_ commit: Commit, _ outcome: Commit.Outcome) { outcomes.append(outcome) }
}

extension PublishReceipt {
    /// What a repetition of that publish gets.
    fileprivate var repeated: PublishReceipt {
        var receipt = self
        (receipt.count, receipt.duplicates) = (0, 1)
        return receipt
    }
}

extension PublishOutcome {
    fileprivate var isUncommitted: Bool {
        if case .uncommitted = self { true } else { false }
    }
}
