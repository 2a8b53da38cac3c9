import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// Messages that are not delivered once their time is up.
@Suite struct LifetimeTests {
    private func loop(ttl: Int64? = nil) throws -> ManualLoop {
        let loop = ManualLoop()
        _ = try loop.broker.putTopic(named: "t") { $0.ttl = ttl }
        return loop
    }

    @Test func `a message is delivered until its time is up, and not from then on`() throws {
        let loop = try loop()
        let early = RecordingSubscriber(on: loop.hubs[0])
        let late = RecordingSubscriber(on: loop.hubs[0])
        for subscriber in [early, late] {
            try loop.subscribe(subscriber)
            subscriber.block()
        }
        try loop.publishBatch([BatchItem(1), BatchItem(2, ttl: 1000), BatchItem(3), BatchItem(4, ttl: 1001)])
        loop.clock.advance(by: 999)
        early.unblock()
        loop.runUntilIdle()
        loop.clock.advance(by: 1)
        late.unblock()
        loop.runUntilIdle()
        #expect(early.summary == "1 2 3 4")
        #expect(late.summary == "1 3 4")
        #expect(loop.counters.expired == 1)
    }

    @Test func `what has expired is not replayed, and is no gap to who resumes`() throws {
        let loop = try loop()
        try loop.publishBatch([BatchItem(1), BatchItem(2, ttl: 10), BatchItem(3)])
        loop.clock.advance(by: 10)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let receipt = try loop.follow(subscriber, since: .position(epoch: "epoch1", offset: 1))
        loop.runUntilIdle()
        #expect(receipt.isRecovered == true && receipt.missed == nil)
        #expect(subscriber.offsets == [3] && subscriber.summary == "3")
    }

    @Test func `a topic's lifetime is that of messages that name none`() throws {
        let loop = try loop(ttl: 1000)
        // A bare message has no room for it: the publisher is told to say more.
        #expect(try loop.publish(ManualLoop.message(0)) == .needsPublication)
        try loop.publishBatch([BatchItem(1), BatchItem(2, ttl: 5000), BatchItem(3, ttl: 10)])
        loop.clock.advance(by: 1000)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, since: .all)
        loop.runUntilIdle()
        #expect(subscriber.numbers == [2])
        _ = try loop.broker.putTopic(named: "t") { $0.ttl = nil }
        #expect(try loop.publish(ManualLoop.message(4)).offset == 4)
    }

    @Test func `an expired message at the end leaves its subscriber caught up`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber)
        subscriber.block()
        try loop.publish(1, ttl: 5)
        loop.runUntilIdle()
        loop.clock.advance(by: 5)
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(subscriber.records.isEmpty && loop.hubs[0].isCaughtUp(subscriber))
        #expect(loop.counters.books.owed == loop.counters.books.accounted)
    }
}
