import ApusProtocol
import ApusTesting
import Testing

@testable import ApusBroker

/// A topic that others publish to, too: what waits here comes after what they were first with.
@Suite struct SharedTopicTests: Journaled {
    let journal = ManualJournal(durability: .replicated)

    /// What another machine published to such a topic: messages with the numbers, and ids if there are any.
    private func others(
        _ numbers: [Int],
        from first: Offset,
        ids: [String] = [],
        of topic: Topic,
        at now: Int64 = 1
    ) -> (batches: [Batch], ids: [(offset: Offset, id: String)]) {
        let messages = numbers.enumerated().map { index, number in
            KeptMessage(offset: first + UInt64(index), message: Array(ManualLoop.message(number).utf8), time: now)
        }
        let named = ids.enumerated().map { (first + UInt64($0), $1) }
        let record = BatchRecord(messages, ids: named, template: topic.template)
        guard let (batch, ids) = record.batch(template: topic.template, lead: 0) else { return ([], []) }
        return ([batch], ids)
    }

    private func receipt(_ outcome: PublishOutcome) throws -> PublishReceipt {
        guard case .uncommitted(let receipt) = outcome else {
            throw BrokerError(.topicNotFound, "it was published at once: \(outcome)")
        }
        return receipt
    }

    @Test func `what waits comes after what others were first with`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let topic = try loop.subscribe(subscriber)
        let mine = try receipt(loop.publish(10))
        let commit = try #require(loop.hubs[0].newestCommit)
        #expect(mine.offset == 1)
        loop.runUntilIdle()
        journal.take()
        let next = try receipt(loop.publish(11))
        let theirs = others([1, 2], from: 1, of: topic)
        topic.adopt(others: theirs.batches, ids: theirs.ids)
        let later = try receipt(loop.publish(12))
        #expect((next.offset, later.offset) == (2, 5))
        loop.runUntilIdle()
        #expect(subscriber.numbers == [1, 2])
        journal.settle()
        loop.runUntilIdle()
        #expect(subscriber.numbers == [1, 2, 10])
        #expect(commit.relocation?.settled(mine).offset == 3)
        let second = try #require(loop.hubs[0].newestCommit)
        self.commit(loop)
        #expect(subscriber.numbers == [1, 2, 10, 11, 12])
        #expect(second.relocation?.settled(next).offset == 4)
        #expect(second.relocation?.settled(later).offset == 5)
        #expect(topic.publishedCount == 5)
    }

    @Test func `offsets are what was said when nobody was first`() throws {
        let loop = try loop()
        let receipt = try receipt(loop.publish(1))
        let commit = try #require(loop.hubs[0].newestCommit)
        self.commit(loop)
        #expect(commit.outcome == .kept)
        #expect(commit.relocation == nil)
        #expect(receipt.offset == 1)
        #expect(receipt.stored == .replicated)
    }

    @Test func `what others have published in between is left out of what is kept`() throws {
        let loop = try loop()
        _ = try loop.broker.putTopic(named: "t") { $0.dedupeWindow = 60_000 }
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let topic = try loop.subscribe(subscriber)
        let receipts = try (10...13).map { try receipt(loop.publish($0, id: "id\($0)")) }
        let commit = try #require(loop.hubs[0].newestCommit)
        loop.runUntilIdle()
        journal.take()
        try loop.publish(14, id: "id14")
        let theirs = others([1, 2, 3], from: 1, ids: ["id12", "x", "id14"], of: topic, at: loop.clock.now)
        topic.adopt(others: theirs.batches, ids: theirs.ids)
        topic.settle(.kept, dropping: [(2, 1)])
        loop.runUntilIdle()
        #expect(subscriber.numbers == [1, 2, 3, 10, 11, 13])
        let settled = receipts.map { commit.relocation?.settled($0) ?? $0 }
        #expect(settled.map(\.offset) == [4, 5, 1, 6])
        #expect(settled.map(\.isDuplicate) == [false, false, true, false])
        #expect(topic.takeUncommitted()?.batches.map(\.first) == [7])
        topic.settle(.kept, dropping: [(0, 3)])
        loop.runUntilIdle()
        #expect(subscriber.numbers == [1, 2, 3, 10, 11, 13])
        #expect(loop.hubs[0].counters.published == 3)
        #expect(loop.hubs[0].counters.duplicates == 2)
        // All of them are known from now on, at their places.
        for (id, offset) in [("id10", 4), ("id12", 1), ("id13", 6), ("id14", 3)] {
            guard case .published(let again) = try loop.publish(99, id: id) else {
                Issue.record("\(id) was published again")
                return
            }
            #expect((again.offset, again.isDuplicate) == (UInt64(offset), true))
        }
    }

    @Test func `a repeat of what waits in the commit before it moves along`() throws {
        let loop = try loop()
        _ = try loop.broker.putTopic(named: "t") { $0.dedupeWindow = 60_000 }
        let topic = try loop.subscribe(RecordingSubscriber(on: loop.hubs[0]))
        try loop.publish(10, id: "a")
        loop.runUntilIdle()
        journal.take()
        let repeated = try receipt(loop.publish(10, id: "a"))
        let commit = try #require(loop.hubs[0].newestCommit)
        #expect(repeated.isDuplicate)
        let theirs = others([1, 2, 3], from: 1, of: topic)
        topic.adopt(others: theirs.batches, ids: theirs.ids)
        journal.settle()
        #expect(commit.relocation?.settled(repeated).offset == 4)
    }

    @Test func `what waits is superseded by what waits behind it, wherever that comes`() throws {
        let loop = try loop()
        let topic = try #require(loop.broker.topic(named: "t"))
        try loop.publish(10, key: "k")
        loop.runUntilIdle()
        let theirs = others([1], from: 1, of: topic)
        topic.adopt(others: theirs.batches, ids: theirs.ids)
        try loop.publish(11, key: "k")
        commit(loop)
        let superseded = (Offset(1)...3).filter { offset in
            guard case .success(let batch) = topic.batch(at: offset), let details = batch.details else { return false }
            return details.supersededNow.contains(Int(offset - batch.first))
        }
        #expect(superseded == [2])
    }

    @Test func `what is missing before others' messages is gone, not waited for`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let topic = try loop.subscribe(subscriber)
        let theirs = others([7, 8], from: 7, of: topic)
        topic.adopt(others: theirs.batches, ids: theirs.ids)
        topic.adopt(others: theirs.batches, ids: theirs.ids)
        loop.runUntilIdle()
        #expect(subscriber.numbers == [7, 8], "and what comes twice is taken once")
        let mine = try receipt(loop.publish(9))
        #expect(mine.offset == 9)
    }

    @Test func `what can never be kept is dropped alone`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let topic = try loop.subscribe(subscriber)
        try loop.publish(10)
        let refused = try #require(loop.hubs[0].newestCommit)
        loop.runUntilIdle()
        journal.take()
        let next = try receipt(loop.publish(11))
        let kept = try #require(loop.hubs[0].newestCommit)
        topic.refuse(CommitFailure(message: "too large", isFinal: false))
        #expect(refused.outcome != .kept && refused.outcome != nil)
        #expect(kept.outcome == nil)
        commit(loop)
        #expect(subscriber.numbers == [11])
        #expect(kept.relocation?.settled(next).offset == 1)
        #expect(try receipt(loop.publish(12)).offset == 2)
    }

    @Test func `publishers wait while a commit has as much as a journal takes at once`() throws {
        var limits = MemoryBroker.Limits()
        limits.commitBytes = 400
        let loop = try loop(limits: limits)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber)
        var held = 0
        for number in 1...20 {
            if try loop.publish(number) == .held { held += 1 }
        }
        #expect(held > 0 && held < 20)
        loop.runUntilIdle()
        #expect(journal.take() == 1)
        guard case .uncommitted = try loop.publish(99) else {
            Issue.record("it waits though the journal has taken what was before it")
            return
        }
    }

    @Test func `what fails takes the offsets back after others' messages, too`() throws {
        let loop = try loop()
        let topic = try #require(loop.broker.topic(named: "t"))
        try loop.publish(10)
        let commit = try #require(loop.hubs[0].newestCommit)
        loop.runUntilIdle()
        journal.take()
        let theirs = others([1, 2], from: 1, of: topic)
        topic.adopt(others: theirs.batches, ids: theirs.ids)
        journal.settle(.failed(CommitFailure(message: "no majority", isFinal: false)))
        #expect(commit.outcome != .kept)
        #expect(try receipt(loop.publish(11)).offset == 3)
    }
}
