import ApusProtocol
import ApusTesting
import Testing

@testable import ApusBroker

/// A topic that lets go of its history, with somebody there.
@Suite struct PurgeTests {
    @discardableResult
    private func purge(_ loop: ManualLoop, _ name: String = "t") async throws -> UInt64 {
        try await loop.broker.purgeTopic(named: name, now: loop.clock.now)
    }

    @Test func `history is empty, offsets and epoch go on, and memory is given back`() async throws {
        let loop = ManualLoop()
        let topic = try loop.broker.createTopic(named: "t")
        try loop.publish(1...50)
        #expect(try await purge(loop) == 50)
        #expect(topic.logBytes == 0)
        #expect(topic.inspect(now: loop.clock.now).first == 51 && topic.publishedCount == 50)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, since: .all)
        try loop.publish(51...52)
        loop.runUntilIdle()
        #expect(subscriber.offsets == [51, 52])
        #expect(try await purge(loop) == 2)
        #expect(try await purge(loop) == 0)
        #expect(loop.broker.purgedCount == 52)
    }

    @Test func `who comes back to a place before it is told what is gone`() async throws {
        let loop = ManualLoop()
        let topic = try loop.broker.createTopic(named: "t")
        try loop.publish(1...10)
        try await purge(loop)
        try loop.publish(11...12)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let receipt = try loop.follow(subscriber, since: .position(epoch: topic.epoch, offset: 4))
        loop.runUntilIdle()
        #expect(receipt.isRecovered == false && receipt.missed == 5...10)
        #expect(subscriber.offsets == [11, 12])
        let page = try #require(try topic.page(from: .all, limit: 100, now: loop.clock.now))
        #expect(page.entries.map(\.offset) == [11, 12] && page.first == 11)
    }

    @Test(arguments: OverflowPolicy.allCases)
    func `a subscription that is behind still gets what it has to read`(policy: OverflowPolicy) async throws {
        let loop = ManualLoop()
        let topic = try loop.broker.createTopic(named: "t")
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, queue: 20, overflow: policy)
        try loop.publish(1...3)
        loop.runUntilIdle()
        subscriber.block()
        for number in 4...9 { try loop.publish(number, key: "\"k\(number)\"") }
        loop.runUntilIdle()
        #expect(try await purge(loop) == 9)
        try loop.publish(10...11)
        let late = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(late, as: "late", since: .all)
        loop.runUntilIdle()
        #expect(late.offsets == [10, 11], "for others it is gone")
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(subscriber.offsets == Array(1...11))
        topic.change { _ in }
        #expect(topic.inspect(now: loop.clock.now).first == 10)
        let (owed, accounted) = loop.counters.books
        #expect(owed == accounted)
    }

    @Test func `publishers that wait for a slow subscription go on waiting, and nothing is lost`() async throws {
        let loop = ManualLoop()
        try loop.broker.createTopic(named: "t")
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, queue: 5, overflow: .throttle)
        subscriber.block()
        try loop.publish(1...5)
        loop.runUntilIdle()
        #expect(try loop.publish(6) == .throttled)
        try await purge(loop)
        #expect(try loop.publish(6) == .throttled)
        subscriber.unblock()
        loop.runUntilIdle()
        try loop.publish(6...7)
        loop.runUntilIdle()
        #expect(subscriber.offsets == Array(1...7))
    }

    @Test func `ids are still recognized, and keys are not mixed up`() async throws {
        let loop = ManualLoop()
        _ = try loop.broker.putTopic(named: "t") { $0.dedupeWindow = 60_000 }
        try loop.publish(1, key: "\"k\"", id: "a")
        try await purge(loop)
        guard case .published(let receipt) = try loop.publish(2, key: "\"k\"", id: "a") else {
            Issue.record("it is a repetition")
            return
        }
        #expect(receipt.offset == 1 && receipt.duplicates == 1)
        try loop.publish(3, key: "\"k\"", id: "b")
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, since: .all, overflow: .latest)
        loop.runUntilIdle()
        #expect(subscriber.offsets == [2])
    }

    @Test func `there is nothing to purge of a topic that is not there`() async throws {
        let loop = ManualLoop()
        await #expect(throws: BrokerError.self) { try await purge(loop, "none") }
        await #expect(throws: BrokerError.self) { try await purge(loop, "a.>") }
    }
}

/// The same where a journal keeps the topic.
@Suite struct JournalledPurgeTests {
    private let journal = ManualJournal(isArchive: true)
    private let padding = String(repeating: "x", count: 1000)

    /// A topic with a hundred messages, of which some ten are in memory.
    private func filled() throws -> (ManualLoop, Topic) {
        let limits = MemoryBroker.Limits(history: 1000, topicBytes: 50_000, tailBytes: 10_000)
        let loop = ManualLoop(limits: limits, journal: journal)
        let topic = try loop.broker.createTopic(named: "t")
        for number in 1...100 { try publish(number, loop, topic) }
        return (loop, topic)
    }

    private func publish(_ number: Int, _ loop: ManualLoop, _ topic: Topic) throws {
        try loop.publish("{\"n\":\(number),\"p\":\"\(padding)\"}")
        loop.runUntilIdle()
        journal.run()
        loop.runUntilIdle()
        topic.change { _ in }
    }

    private func read(_ loop: ManualLoop) {
        loop.runUntilIdle()
        while journal.readCount > 0 {
            journal.answer()
            loop.runUntilIdle()
        }
    }

    /// Purges while the test plays the disk.
    private func purge(_ loop: ManualLoop, _ outcome: Commit.Outcome = .kept) async throws -> UInt64 {
        let (broker, now) = (loop.broker, loop.clock.now)
        async let purged = broker.purgeTopic(named: "t", now: now)
        while journal.changes.isEmpty { await Task.yield() }
        journal.run(outcome)
        return try await purged
    }

    @Test func `the disk comes first: until it has the change, history is as it was`() async throws {
        let (loop, topic) = try filled()
        await #expect(throws: BrokerError.self) {
            try await purge(loop, .failed(CommitFailure(message: "full", isFinal: false)))
        }
        #expect(topic.inspect(now: loop.clock.now).first == 1)
        #expect(try await purge(loop) == 100)
        #expect(topic.inspect(now: loop.clock.now).first == 101)
        #expect(topic.wanted?.history == 101)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, since: .all)
        try publish(101, loop, topic)
        read(loop)
        #expect(subscriber.offsets == [101])
    }

    @Test func `a replay from the disk that is under way goes on`() async throws {
        let (loop, topic) = try filled()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, since: .all)
        loop.runUntilIdle()
        #expect(subscriber.offsets.isEmpty)
        #expect(try await purge(loop) == 100)
        #expect(topic.wanted?.needed == 1, "the journal keeps what it has yet to read")
        read(loop)
        #expect(subscriber.offsets == Array(1...100))
        loop.runUntilIdle()
        #expect((topic.wanted?.needed ?? 0) > 100)
    }

    @Test func `what is published and not kept yet is not purged`() async throws {
        let (loop, topic) = try filled()
        try loop.publish("{\"n\":101}")
        loop.runUntilIdle()
        #expect(try await purge(loop) == 100)
        loop.runUntilIdle()
        #expect(topic.publishedCount == 101)
        let page = try #require(try topic.page(from: .all, limit: 100, now: loop.clock.now))
        #expect(page.entries.map(\.offset) == [101])
    }

    @Test func `what a topic of memory would have brought along does not come`() async throws {
        let loop = ManualLoop(journal: journal)
        _ = try loop.broker.putTopic(named: "t") { $0.durability = .memory }
        journal.run()
        try loop.publish(1...5)
        _ = try loop.broker.putTopic(named: "t") { $0.durability = .disk }
        let topic = try #require(loop.broker.topic(named: "t"))
        #expect(topic.purge(before: 6, now: loop.clock.now) == 5)
        try loop.publish(6)
        loop.runUntilIdle()
        journal.run()
        #expect(journal.kept(topic).map(\.first) == [6])
    }
}
