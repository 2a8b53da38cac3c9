import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// Batches, which are taken as a whole, and messages that are published twice.
@Suite struct BatchPublishTests {
    private func loop(window: Int64? = nil, remembered: Int = 100) throws -> ManualLoop {
        let loop = ManualLoop(hubs: 2, limits: MemoryBroker.Limits(dedupe: remembered))
        _ = try loop.broker.putTopic(named: "t") { $0.dedupeWindow = window }
        return loop
    }

    private func receipt(_ outcome: PublishOutcome) throws -> PublishReceipt {
        guard case .published(let receipt) = outcome else { throw BrokerError(.topicNotFound, "\(outcome)") }
        return receipt
    }

    @Test func `a batch has consecutive offsets, and one receipt with the first`() throws {
        let loop = try loop()
        let subscribers = [RecordingSubscriber(on: loop.hubs[0]), RecordingSubscriber(on: loop.hubs[1])]
        for (hub, subscriber) in subscribers.enumerated() { try loop.follow(subscriber, on: hub) }
        try loop.publish(1)
        let outcome = try loop.publishBatch((2...5).map { BatchItem($0) }, on: 1)
        try loop.publish(6)
        #expect(outcome == .published(PublishReceipt(offset: 2, count: 4, duplicates: 0, subscribers: 2)))
        loop.runUntilIdle()
        for subscriber in subscribers {
            #expect(subscriber.numbers == Array(1...6) && subscriber.offsets == Array(1...6))
        }
    }

    @Test func `a batch that meets the bound of a throttling subscription is not taken at all`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let topic = try loop.subscribe(subscriber, queue: 3, overflow: .throttle)
        subscriber.block()
        try loop.publish(1...3)
        #expect(try loop.publishBatch((4...8).map { BatchItem($0) }) == .throttled)
        #expect(topic.publishedCount == 3)
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(try receipt(loop.publishBatch((4...8).map { BatchItem($0) })).offset == 4)
        loop.runUntilIdle()
        #expect(subscriber.numbers == Array(1...8))
    }

    @Test func `a batch for which there is room is taken whole, though it is longer than the room`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, queue: 3, overflow: .throttle)
        subscriber.block()
        try loop.publish(1...2)
        #expect(try receipt(loop.publishBatch((3...9).map { BatchItem($0) })).count == 7)
        #expect(try loop.publish(10) == .throttled)
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(subscriber.numbers == Array(1...9))
    }

    @Test func `a batch to a topic that is gone takes nothing`() throws {
        let loop = try loop()
        let topic = try #require(loop.broker.topic(named: "t"))
        try loop.broker.deleteTopic(named: "t")
        #expect(throws: BrokerError.self) { try loop.publishBatch([BatchItem(1)]) }
        #expect(topic.publishedCount == 0)
    }

    @Test func `an id within the window is told the first one's offset, and not delivered again`() throws {
        let loop = try loop(window: 1000)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber)
        #expect(try receipt(loop.publish(1, id: "a")).offset == 1)
        #expect(try receipt(loop.publish(2, id: "b")).offset == 2)
        let repeated = try receipt(loop.publish(3, id: "a", on: 1))
        #expect(repeated.isDuplicate && repeated.offset == 1 && repeated.duplicates == 1)
        loop.runUntilIdle()
        #expect(subscriber.summary == "1 2")
        #expect(loop.counters.duplicates == 1 && loop.counters.published == 2)
    }

    @Test func `the window is measured from the first publish, to the millisecond`() throws {
        let loop = try loop(window: 1000)
        try loop.publish(1, id: "a")
        loop.clock.advance(by: 600)
        #expect(try receipt(loop.publish(2, id: "a")).isDuplicate)
        loop.clock.advance(by: 400)
        #expect(try receipt(loop.publish(3, id: "a")).isDuplicate)
        loop.clock.advance(by: 1)
        #expect(try receipt(loop.publish(4, id: "a")).offset == 2)
        #expect(try receipt(loop.publish(5, id: "a")).offset == 2)
    }

    @Test func `no more ids are remembered than the limit`() throws {
        let loop = try loop(window: 1_000_000, remembered: 3)
        for (number, id) in ["a", "b", "c", "d"].enumerated() { try loop.publish(number, id: id) }
        for id in ["b", "c", "d"] { #expect(try receipt(loop.publish(9, id: id)).isDuplicate) }
        #expect(try receipt(loop.publish(10, id: "a")).offset == 5)
        #expect(try receipt(loop.publish(11, id: "b")).offset == 6)
    }

    @Test func `of a batch with repeats the new ones are taken`() throws {
        let loop = try loop(window: 1000)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber)
        try loop.publish(1, id: "a")
        let items = [(2, "a"), (3, "b"), (4, "b"), (5, "c")].map { BatchItem($0, id: $1) }
        #expect(
            try receipt(loop.publishBatch(items)) == PublishReceipt(offset: 2, count: 2, duplicates: 2, subscribers: 1)
        )
        let again = try receipt(loop.publishBatch(items))
        #expect(again.isDuplicate && again.offset == 1 && again.duplicates == 4)
        loop.runUntilIdle()
        #expect(subscriber.numbers == [1, 3, 5])
    }

    @Test func `ids are compared byte for byte, and each topic has its own`() throws {
        let loop = try loop(window: 1000)
        _ = try loop.broker.putTopic(named: "u") { $0.dedupeWindow = 1000 }
        try loop.publish(1, id: "caf\u{E9}")
        #expect(try !receipt(loop.publish(2, id: "cafe\u{301}")).isDuplicate)
        #expect(try !receipt(loop.publish(3, id: "caf\u{E9}", to: "u")).isDuplicate)
    }

    @Test func `without a window nothing is remembered, and one that is set begins empty`() throws {
        let loop = try loop()
        for _ in 0...1 { #expect(try !receipt(loop.publish(1, id: "a")).isDuplicate) }
        _ = try loop.broker.putTopic(named: "t") { $0.dedupeWindow = 1000 }
        #expect(try loop.publish(ManualLoop.message(2)) == .needsPublication)
        #expect(try !receipt(loop.publish(2, id: "a")).isDuplicate)
        #expect(try receipt(loop.publish(3, id: "a")).isDuplicate)
        _ = try loop.broker.putTopic(named: "t") { $0.dedupeWindow = nil }
        #expect(try !receipt(loop.publish(4, id: "a")).isDuplicate)
    }
}
