import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// Subscriptions that want the newest message of each key.
@Suite struct LatestTests {
    private func world(queue: Int = 100, topicBytes: Int = 1 << 30) throws -> (ManualLoop, RecordingSubscriber) {
        let loop = ManualLoop(limits: MemoryBroker.Limits(history: 100, topicBytes: topicBytes))
        try loop.broker.createTopic(named: "t")
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, queue: queue, overflow: .latest)
        return (loop, subscriber)
    }

    @Test func `pending messages of a key collapse to the newest, which is no drop`() throws {
        let (loop, subscriber) = try world()
        subscriber.block()
        try loop.publishBatch([
            BatchItem(1, key: "a"), BatchItem(2, key: "b"), BatchItem(3), BatchItem(4, key: "a"),
            BatchItem(5, key: "a"),
        ])
        loop.runUntilIdle()
        subscriber.unblock()
        #expect(subscriber.summary == "2 3 5")
        #expect(loop.counters.conflated == 2 && loop.counters.droppedOldest == 0)
    }

    @Test func `a later batch supersedes what an earlier one brought`() throws {
        let (loop, subscriber) = try world()
        subscriber.block()
        for number in 1...30 {
            try loop.publish(number, key: "k\(number % 3)")
            loop.runUntilIdle()
        }
        subscriber.unblock()
        #expect(subscriber.summary == "28 29 30")
    }

    @Test func `one that reads gets every message`() throws {
        let (loop, subscriber) = try world()
        for number in 1...10 { try loop.publish(number, key: "k") }
        loop.runUntilIdle()
        #expect(subscriber.numbers == Array(1...10))
    }

    @Test func `events tell their keys to who used an extension, and to nobody else`() throws {
        let (loop, subscriber) = try world()
        let plain = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(plain)
        try loop.publish(1, key: #"a"b"#)
        loop.runUntilIdle()
        let message = ManualLoop.message(1)
        #expect(subscriber.records == [.event(topic: "t", message: message, key: #""a\"b""#, offset: 1)])
        #expect(plain.records == [.event(topic: "t", message: message)])
    }

    @Test func `what is superseded takes no place in the queue`() throws {
        let (loop, subscriber) = try world(queue: 4)
        subscriber.block()
        for number in 1...100 {
            try loop.publish(number, key: "k\(number % 4)")
            loop.runUntilIdle()
        }
        subscriber.unblock()
        #expect(subscriber.summary == "97 98 99 100" && loop.counters.droppedOldest == 0)
    }

    @Test func `beyond the bound the oldest that is not superseded goes, and is announced`() throws {
        let (loop, subscriber) = try world(queue: 3)
        subscriber.block()
        for (number, key) in [(1, "a"), (2, "b"), (3, "a"), (4, "c"), (5, "d"), (6, "e")] {
            try loop.publish(number, key: key)
            loop.runUntilIdle()
        }
        subscriber.unblock()
        // 1 was superseded by 3; 2 and 3 had no room.
        #expect(subscriber.summary == "dropped(2: 1-3) 4 5 6")
        let counters = loop.counters
        #expect(counters.droppedOldest == 2 && counters.conflated == 1)
        #expect(counters.books.owed == counters.books.accounted)
    }

    @Test func `what a topic's bytes push out counts as dropped`() throws {
        let (loop, subscriber) = try world(queue: 100, topicBytes: 800)
        subscriber.block()
        for number in 1000...1040 {
            try loop.publish(number, key: "k\(number)")
            loop.runUntilIdle()
        }
        subscriber.unblock()
        let kept = subscriber.numbers.count
        #expect(subscriber.summary == "dropped(\(41 - kept): 1-\(41 - kept)) " + (1041 - kept...1040).summary)
    }

    @Test func `one that waits for its topic's predecessor gets the newest only`() throws {
        let (loop, subscriber) = try world()
        try loop.publish(1)
        loop.runUntilIdle()
        subscriber.block()
        try loop.publish(2)
        loop.runUntilIdle()
        try loop.broker.deleteTopic(named: "t")
        try loop.broker.createTopic(named: "t")
        try loop.follow(subscriber, queue: 2, overflow: .latest)
        for number in 3...9 {
            try loop.publish(number, key: "k")
            loop.runUntilIdle()
        }
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(subscriber.summary == "1 2 deleted 9")
    }
}
