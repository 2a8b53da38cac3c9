import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// What becomes of a subscriber that stops reading, without throttling.
@Suite struct OverflowTests {
    private func loop(hubs: Int = 1, limits: MemoryBroker.Limits = .init(history: 10)) throws -> ManualLoop {
        let loop = ManualLoop(hubs: hubs, limits: limits)
        try loop.broker.createTopic(named: "t")
        return loop
    }

    @Test(arguments: [1, 2, 5, 100], [0, 1, 2, 10, 500])
    func `drop-oldest skips exactly what is beyond the queue, and says so in its place`(queue: Int, over: Int) throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, queue: queue)
        try loop.publish(-1)
        loop.runUntilIdle()
        subscriber.block()
        for number in 0..<(queue + over) {
            try loop.publish(number)
            // Whether the bound is enforced often or once makes no difference.
            if number % 3 == 0 { loop.runUntilIdle() }
        }
        loop.runUntilIdle()
        subscriber.unblock()
        try loop.publish(10_000)
        loop.runUntilIdle()
        let gap = over > 0 ? "dropped(\(over)) " : ""
        #expect(subscriber.summary == "-1 \(gap)\((over..<(over + queue)).summary) 10000")
    }

    @Test func `every gap is announced once, with its own count`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, queue: 3)
        for round in 0..<3 {
            subscriber.block()
            try loop.publish((round * 10)..<(round * 10 + 10))
            loop.runUntilIdle()
            subscriber.unblock()
            loop.runUntilIdle()
        }
        #expect(subscriber.summary == "dropped(7) 7 8 9 dropped(7) 17 18 19 dropped(7) 27 28 29")
    }

    @Test func `a gap in the midst of a delivery lies where it belongs`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0], waterMark: .init(frames: 2), room: 0)
        try loop.subscribe(subscriber, queue: 4)
        for number in 1...20 {
            try loop.publish(number)
            loop.runUntilIdle()
        }
        #expect(subscriber.summary == "1 2")
        subscriber.take(3)
        loop.runUntilIdle()
        #expect(subscriber.summary.hasPrefix("1 2 dropped(14) 17 18"))
        subscriber.take(100)
        loop.runUntilIdle()
        #expect(subscriber.summary == "1 2 dropped(14) 17 18 19 20")
    }

    @Test func `a gap that a new replay brings back is not announced`() throws {
        let loop = try loop(limits: .init(history: 100))
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, queue: 3)
        subscriber.block()
        try loop.publish(1...10)
        loop.runUntilIdle()
        try loop.subscribe(subscriber, lastN: 10, queue: 3)
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(subscriber.summary == (1...10).summary)
    }

    @Test func `a gap that a new replay brings back in part is announced in part`() throws {
        let loop = try loop(limits: .init(history: 100))
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, queue: 3)
        subscriber.block()
        try loop.publish(1...10)
        loop.runUntilIdle()
        try loop.subscribe(subscriber, lastN: 5, queue: 3)
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(subscriber.summary == "dropped(5) 6 7 8 9 10")
    }

    @Test(arguments: OverflowPolicy.allCases)
    func `one that reads sees no overflow, however much comes at once`(policy: OverflowPolicy) throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0], waterMark: .init(frames: 8))
        let topic = try loop.subscribe(subscriber, queue: 5, overflow: policy)
        let publisher = RetryingPublisher(loop, topic: topic, from: 1, through: 3000)
        publisher.start()
        loop.runUntilIdle()
        #expect(publisher.isDone && subscriber.numbers == Array(1...3000))
        #expect(subscriber.records.count == 3000)
    }

    @Test func `disconnect cuts at one more than the queue, and delivers nothing any more`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let topic = try loop.subscribe(subscriber, queue: 5, overflow: .disconnect)
        subscriber.block()
        try loop.publish(1...5)
        loop.runUntilIdle()
        #expect(subscriber.records.isEmpty && topic.subscriberCount == 1)
        try loop.publish(6)
        loop.runUntilIdle()
        #expect(subscriber.records == [.slowConsumer(topic: "t")])
        #expect(topic.subscriberCount == 0)
        subscriber.unblock()
        try loop.publish(7)
        loop.runUntilIdle()
        #expect(subscriber.records.count == 1)
    }

    @Test func `disconnect leaves one that comes back in time alone`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, queue: 5, overflow: .disconnect)
        for round in 0..<5 {
            subscriber.block()
            try loop.publish((round * 5)..<(round * 5 + 5))
            loop.runUntilIdle()
            subscriber.unblock()
            loop.runUntilIdle()
        }
        #expect(subscriber.numbers == Array(0..<25))
    }

    @Test func `a slow one costs the others nothing`() throws {
        for policy in [OverflowPolicy.dropOldest, .disconnect] {
            let loop = try loop(hubs: 2)
            let slow = RecordingSubscriber(on: loop.hubs[0])
            let healthy = loop.hubs.map { RecordingSubscriber(on: $0) }
            for (hub, subscriber) in healthy.enumerated() { try loop.subscribe(subscriber, queue: 4, on: hub) }
            try loop.subscribe(slow, queue: 4, overflow: policy)
            slow.block()
            for number in 1...200 {
                try loop.publish(number)
                loop.runUntilIdle()
                for subscriber in healthy { #expect(subscriber.numbers.last == number) }
            }
            for subscriber in healthy { #expect(subscriber.numbers == Array(1...200)) }
        }
    }

    @Test func `one subscription that lags does not hold back another of the same connection`() throws {
        let loop = try loop()
        try loop.broker.createTopic(named: "u")
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, queue: 2)
        try loop.subscribe(subscriber, to: "u", queue: 2)
        subscriber.block()
        try loop.publish(1...5)
        try loop.publish(11...12, to: "u")
        loop.runUntilIdle()
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(subscriber.records.contains(.dropped(topic: "t", count: 3)))
        #expect(subscriber.numbers.sorted() == [4, 5, 11, 12])
    }

    @Test func `what the bound in bytes pushed out is counted like any gap`() throws {
        let loop = try loop(limits: .init(history: 10, topicBytes: 1000))
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, queue: 1000)
        subscriber.block()
        for number in 1...100 {
            try loop.publish(number)
            loop.runUntilIdle()
        }
        subscriber.unblock()
        loop.runUntilIdle()
        let kept = subscriber.numbers
        let first = try #require(kept.first)
        #expect(kept == Array(first...100) && kept.count < 15 && kept.count > 5)
        #expect(subscriber.records.first == .dropped(topic: "t", count: UInt64(first - 1)))
        #expect(subscriber.records.count == kept.count + 1)
    }

    @Test func `what the bound in bytes pushed out ends a subscription that must not lose anything`() throws {
        let loop = try loop(limits: .init(history: 10, topicBytes: 1000))
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, queue: 1000, overflow: .disconnect)
        subscriber.block()
        for number in 1...100 {
            try loop.publish(number)
            loop.runUntilIdle()
        }
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(subscriber.records == [.slowConsumer(topic: "t")])
    }
}
