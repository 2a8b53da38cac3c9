import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// When a throttling subscriber is cut.
@Suite struct StallTests {
    private func world(
        queue: Int = 3,
        limits: MemoryBroker.Limits = .init()
    ) throws -> (ManualLoop, RecordingSubscriber, Topic) {
        let loop = ManualLoop(limits: limits)
        try loop.broker.createTopic(named: "t")
        let subscriber = RecordingSubscriber(on: loop.hubs[0], waterMark: .init(frames: 1), room: 0)
        let topic = try loop.subscribe(subscriber, queue: queue, overflow: .throttle)
        return (loop, subscriber, topic)
    }

    private func isCut(_ subscriber: RecordingSubscriber) -> Bool {
        subscriber.records.contains(.slowConsumer(topic: "t"))
    }

    @Test func `one that stands at its bound is cut after the time-out, and publishers go on`() throws {
        let (loop, subscriber, topic) = try world()
        let publisher = RetryingPublisher(loop, topic: topic, from: 1, through: 20)
        publisher.start()
        loop.runUntilIdle()
        #expect(!publisher.isDone)
        for now in stride(from: Int64(1000), to: 2000, by: 100) {
            loop.hubs[0].cutStalled(now: now, timeout: 1000)
            #expect(!isCut(subscriber))
        }
        loop.hubs[0].cutStalled(now: 2000, timeout: 1000)
        #expect(isCut(subscriber))
        loop.runUntilIdle()
        #expect(publisher.isDone && topic.subscriberCount == 0)
    }

    @Test func `one that has another policy for a while, and takes nothing, gains no time by it`() throws {
        let (loop, subscriber, topic) = try world()
        let publisher = RetryingPublisher(loop, topic: topic, from: 1, through: 20)
        publisher.start()
        loop.runUntilIdle()
        loop.hubs[0].cutStalled(now: 1000, timeout: 1000)
        // There is room for all, so its place stays.
        try loop.subscribe(subscriber, queue: 100, overflow: .dropOldest)
        loop.runUntilIdle()
        loop.hubs[0].cutStalled(now: 1500, timeout: 1000)
        #expect(publisher.isDone)
        try loop.subscribe(subscriber, queue: 3, overflow: .throttle)
        loop.hubs[0].cutStalled(now: 1999, timeout: 1000)
        #expect(!isCut(subscriber))
        loop.hubs[0].cutStalled(now: 2000, timeout: 1000)
        #expect(isCut(subscriber))
    }

    @Test func `one that takes from the buffers between is not cut, though they have no room for a message`() throws {
        let (loop, subscriber, topic) = try world()
        let publisher = RetryingPublisher(loop, topic: topic, from: 1, through: 20)
        publisher.start()
        loop.runUntilIdle()
        for now in stride(from: Int64(1000), to: 20_000, by: 100) {
            if now % 700 == 0 { subscriber.lastTaken = now }
            loop.hubs[0].cutStalled(now: now, timeout: 1000)
            #expect(!isCut(subscriber))
        }
        loop.hubs[0].cutStalled(now: 21_000, timeout: 1000)
        #expect(isCut(subscriber) && !publisher.isDone)
    }

    @Test func `one that takes a message now and then is not cut`() throws {
        let (loop, subscriber, topic) = try world()
        let publisher = RetryingPublisher(loop, topic: topic, from: 1, through: 50)
        publisher.start()
        loop.runUntilIdle()
        var now: Int64 = 0
        for _ in 0..<1000 where !publisher.isDone {
            loop.hubs[0].cutStalled(now: now, timeout: 1000)
            now += 999
            loop.hubs[0].cutStalled(now: now, timeout: 1000)
            // All that is in its socket: only then does it take the next one.
            subscriber.take(3)
            loop.runUntilIdle()
        }
        subscriber.take(100)
        loop.runUntilIdle()
        #expect(subscriber.numbers == Array(1...50) && !isCut(subscriber))
    }

    @Test func `one that lags but is not at its bound is not cut`() throws {
        let (loop, subscriber, _) = try world(queue: 4)
        for number in 1...4 {
            try loop.publish(number)
            loop.runUntilIdle()
        }
        for now in stride(from: Int64(0), to: 100_000, by: 1000) {
            loop.hubs[0].cutStalled(now: now, timeout: 1000)
        }
        // One message is in its socket: three behind.
        #expect(!isCut(subscriber))
    }

    @Test func `the clock starts anew when it was below its bound in between`() throws {
        let (loop, subscriber, _) = try world()
        // One is in its socket, three are behind.
        for number in 1...4 {
            try loop.publish(number)
            loop.runUntilIdle()
        }
        loop.hubs[0].cutStalled(now: 0, timeout: 1000)
        subscriber.take(1)
        loop.runUntilIdle()
        loop.hubs[0].cutStalled(now: 900, timeout: 1000)
        try loop.publish(5)
        loop.runUntilIdle()
        loop.hubs[0].cutStalled(now: 1100, timeout: 1000)
        #expect(!isCut(subscriber))
        loop.hubs[0].cutStalled(now: 2100, timeout: 1000)
        #expect(isCut(subscriber))
    }

    @Test func `one that makes publishers wait through the bound in bytes is cut too`() throws {
        let (loop, subscriber, topic) = try world(queue: 1000, limits: .init(history: 10, topicBytes: 1000))
        let publisher = RetryingPublisher(loop, topic: topic, from: 1, through: 100)
        publisher.start()
        loop.runUntilIdle()
        #expect(!publisher.isDone)
        for now in stride(from: Int64(0), through: 5000, by: 500) {
            loop.hubs[0].cutStalled(now: now, timeout: 1000)
        }
        loop.runUntilIdle()
        #expect(isCut(subscriber) && publisher.isDone)
    }

    @Test func `a subscriber is told once, whatever number of its subscriptions stand`() throws {
        let (loop, subscriber, topic) = try world()
        try loop.subscribe(subscriber, as: "second", queue: 3, overflow: .throttle)
        subscriber.block()
        try loop.publish(1...3)
        loop.runUntilIdle()
        for now in [Int64(0), 1000] { loop.hubs[0].cutStalled(now: now, timeout: 1000) }
        loop.runUntilIdle()
        #expect(subscriber.records.filter { $0 == .slowConsumer(topic: "t") }.count == 1)
        #expect(topic.subscriberCount == 0)
    }
}
