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

    // MARK: Expired, and gone

    @Test(arguments: [false, true])
    func `what has expired takes no place among the last messages`(isTrimmed: Bool) throws {
        let loop = try loop()
        try loop.publish(1...10)
        try loop.publishBatch((11...15).map { BatchItem($0, ttl: 10) })
        try loop.publish(16)
        loop.clock.advance(by: 10)
        if isTrimmed { loop.broker.trim(now: loop.clock.now, limit: .max) }
        let topic = try #require(loop.broker.topic(named: "t"))
        for (count, expected) in [(5, [7, 8, 9, 10, 16]), (1, [16]), (0, []), (100, Array(1...10) + [16])] {
            let subscriber = RecordingSubscriber(on: loop.hubs[0])
            let receipt = try loop.follow(subscriber, since: .lastN(count))
            loop.runUntilIdle()
            #expect(subscriber.numbers == expected)
            #expect(receipt.offset == Offset(expected.first ?? 17) - 1)
            let page = try topic.page(from: .lastN(count), limit: max(count, 1), now: loop.clock.now)
            #expect(page?.entries.map(\.offset) == expected.map { Offset($0) })
        }
        #expect(loop.counters.books.owed == loop.counters.books.accounted)
    }

    @Test func `where all have expired there are no last messages`() throws {
        let loop = try loop(ttl: 10)
        try loop.publishBatch((1...100).map { BatchItem($0) })
        loop.clock.advance(by: 10)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        #expect(try loop.follow(subscriber, since: .lastN(5)).offset == 100)
        try loop.publishBatch([BatchItem(101)])
        loop.runUntilIdle()
        #expect(subscriber.numbers == [101])
    }

    @Test func `the memory of what has expired goes though nobody publishes, and its places stay`() throws {
        let loop = ManualLoop(limits: MemoryBroker.Limits(history: 100_000))
        let topic = try loop.broker.createTopic(named: "t")
        try loop.publish(1)
        for batch in 0..<20 {
            try loop.publishBatch((0..<1000).map { BatchItem(batch * 1000 + $0, key: "k", ttl: 500) })
        }
        try loop.publish(2)
        let bytes = topic.logBytes
        loop.broker.trim(now: loop.clock.now + 499, limit: .max)
        #expect(topic.logBytes == bytes && bytes > 1_000_000)
        loop.clock.advance(by: 500)
        loop.broker.trim(now: loop.clock.now, limit: .max)
        // Open with the last one are some that have expired.
        #expect(topic.logBytes < 70_000)
        let inspection = topic.inspect(now: loop.clock.now)
        #expect(inspection.first == 1 && inspection.last == 20_002)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        #expect(try loop.follow(subscriber, since: .position(epoch: "epoch1", offset: 9000)).isRecovered == true)
        loop.runUntilIdle()
        #expect(subscriber.numbers == [2])
        #expect(loop.counters.expired == 11_001)
        #expect(loop.counters.books.owed == loop.counters.books.accounted)
    }

    @Test func `what has expired goes from among what has not, and nothing of that changes`() throws {
        let loop = ManualLoop(limits: MemoryBroker.Limits(history: 100_000))
        let topic = try loop.broker.createTopic(named: "t")
        let padding = String(repeating: " ", count: 1000)
        for number in 1...300 {
            if number == 150 { loop.clock.setWall(by: -3_600_000) }
            let isLiving = number % 5 == 0
            let item = BatchItem(number, key: isLiving ? "k\(number % 2)" : "x", ttl: isLiving ? nil : 10)
            try loop.publishBatch([item], padding: isLiving ? "" : padding, origin: UInt32(number % 7))
            loop.clock.advance(by: 1)
        }
        loop.clock.advance(by: 10)
        let before = try #require(try topic.page(from: .all, limit: 1000, now: loop.clock.now))
        loop.broker.trim(now: loop.clock.now, limit: .max)
        #expect(topic.logBytes < 60 * 150)
        let after = try #require(try topic.page(from: .all, limit: 1000, now: loop.clock.now))
        #expect(after.entries.map(\.offset) == stride(from: Offset(5), through: 300, by: 5).map(\.self))
        #expect(after.entries.map(\.message) == before.entries.map(\.message))
        #expect(after.entries.map(\.time) == before.entries.map(\.time))
        #expect(after.entries.map(\.key) == before.entries.map(\.key) && after.next == 300)
        // Publishers and keys are known as they were.
        let subscriber = RecordingSubscriber(on: loop.hubs[0], origin: 3)
        try loop.follow(subscriber, since: .age(120), queue: 1000, overflow: .latest, echo: false)
        loop.runUntilIdle()
        let young = stride(from: 195, through: 300, by: 5).filter { $0 % 7 != 3 }
        #expect(subscriber.numbers == young)
        #expect(loop.counters.books.owed == loop.counters.books.accounted)
    }

    @Test func `what is sealed only after its time is let go all the same`() throws {
        let loop = try loop()
        let topic = try #require(loop.broker.topic(named: "t"))
        let seal = { _ = try topic.page(from: .all, limit: 1, now: loop.clock.now) }
        try loop.publish(1, ttl: 5)
        try seal()
        try loop.publishBatch([BatchItem(2, ttl: 6)], padding: String(repeating: " ", count: 2000))
        try loop.publishBatch([BatchItem(3)])
        loop.clock.advance(by: 8)
        loop.broker.trim(now: loop.clock.now, limit: .max)
        // It is open, with one that lives.
        #expect(topic.logBytes > 2000)
        try seal()
        loop.broker.trim(now: loop.clock.now, limit: .max)
        #expect(topic.logBytes < 200)
    }

    @Test(arguments: OverflowPolicy.allCases)
    func `what expires and goes while it is pending is no loss`(policy: OverflowPolicy) throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, queue: 100, overflow: policy)
        subscriber.block()
        try loop.publish(1)
        for number in 2...40 {
            try loop.publish(number, key: "k\(number % 3)", ttl: 10)
            loop.runUntilIdle()
        }
        try loop.publish(41)
        loop.runUntilIdle()
        loop.clock.advance(by: 10)
        loop.broker.trim(now: loop.clock.now, limit: .max)
        loop.broker.trim(now: loop.clock.now, limit: .max)
        subscriber.unblock()
        loop.runUntilIdle()
        // Under latest some have a newer one of their key besides.
        #expect(subscriber.summary == "1 41" && loop.counters.expired + loop.counters.conflated == 39)
        #expect(loop.counters.books.owed == loop.counters.books.accounted)
    }

    @Test func `keys of what has expired are forgotten with it`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, queue: 3, overflow: .latest)
        subscriber.block()
        for number in 1...6 {
            try loop.publish(number, key: "a", ttl: number < 4 ? 10 : nil)
            loop.runUntilIdle()
            if number == 3 {
                loop.clock.advance(by: 10)
                loop.broker.trim(now: loop.clock.now, limit: .max)
            }
        }
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(subscriber.summary == "6")
        #expect(loop.counters.books.owed == loop.counters.books.accounted)
    }

    @Test func `topics are looked at a few at a time, each in its turn`() throws {
        let loop = ManualLoop()
        for number in 0..<10 {
            _ = try loop.broker.putTopic(named: "\(number)") { $0.ttl = 1 }
            try loop.publishBatch([BatchItem(1)], to: "\(number)")
        }
        loop.clock.advance(by: 1)
        var left: [Int] = []
        for _ in 0..<4 {
            loop.broker.trim(now: loop.clock.now, limit: 3)
            left.append(loop.broker.topics.count { $0.logBytes > 0 })
        }
        #expect(left == [7, 4, 1, 0])
    }
}
