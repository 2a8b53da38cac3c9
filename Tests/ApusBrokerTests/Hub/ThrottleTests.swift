import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// Publishers wait for the slowest subscriber: nothing is lost, and nothing waits that need not.
@Suite struct ThrottleTests {
    private func loop(hubs: Int = 1, limits: MemoryBroker.Limits = .init(history: 10)) throws -> ManualLoop {
        let loop = ManualLoop(hubs: hubs, limits: limits)
        try loop.broker.createTopic(named: "t")
        return loop
    }

    @Test(arguments: [1, 2, 7, 100])
    func `a publish is refused exactly at the bound, and none after it gets in`(queue: Int) throws {
        let loop = try loop(hubs: 2)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.publish(1...5)
        try loop.subscribe(subscriber, queue: queue, overflow: .throttle)
        subscriber.block()
        for number in 1...queue {
            #expect(try loop.publish(number, on: number % 2) == .published(Offset(number + 5), subscribers: 1))
            if number % 3 == 0 { loop.runUntilIdle() }
        }
        for hub in [0, 1, 0] { #expect(try loop.publish(0, on: hub) == .throttled) }
        loop.runUntilIdle()
        #expect(try loop.publish(0) == .throttled)
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(subscriber.numbers == Array(1...queue))
        #expect(try loop.publish(queue + 1) == .published(Offset(queue + 6), subscribers: 1))
    }

    @Test func `publishing goes on as far as was read`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0], waterMark: .init(frames: 1), room: 0)
        let topic = try loop.subscribe(subscriber, queue: 4, overflow: .throttle)
        let publisher = RetryingPublisher(loop, topic: topic, from: 1, through: 100)
        publisher.start()
        loop.runUntilIdle()
        var delivered = 0
        for _ in 0..<1000 where !publisher.isDone {
            #expect(subscriber.numbers.count >= delivered)
            delivered = subscriber.numbers.count
            #expect(publisher.next - 1 - delivered <= 4)
            subscriber.take(1)
            loop.runUntilIdle()
        }
        subscriber.take(1000)
        loop.runUntilIdle()
        #expect(subscriber.summary == (1...100).summary)
    }

    @Test func `publishers on all hubs are told when there is room`() throws {
        let loop = try loop(hubs: 3)
        let subscriber = RecordingSubscriber(on: loop.hubs[2])
        let topic = try loop.subscribe(subscriber, queue: 2, overflow: .throttle, on: 2)
        subscriber.block()
        let publishers = (0..<6).map {
            RetryingPublisher(loop, topic: topic, from: $0 * 100, through: $0 * 100 + 49, on: $0 % 3)
        }
        for publisher in publishers { publisher.start() }
        loop.runUntilIdle()
        #expect(topic.publishedCount == 2)
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(publishers.filter(\.isDone).count == 6)
        #expect(subscriber.numbers.count == 300 && Set(subscriber.numbers).count == 300)
        for index in 0..<6 {
            let own = subscriber.numbers.filter { $0 / 100 == index }
            #expect(own == own.sorted())
        }
    }

    @Test func `the slowest of several subscribers counts, and goes when it goes`() throws {
        let loop = try loop(hubs: 2)
        let slow = RecordingSubscriber(on: loop.hubs[0])
        let slower = RecordingSubscriber(on: loop.hubs[0])
        let healthy = RecordingSubscriber(on: loop.hubs[1])
        let topic = try loop.subscribe(slow, queue: 5, overflow: .throttle)
        try loop.subscribe(slower, queue: 3, overflow: .throttle)
        try loop.subscribe(healthy, queue: 3, overflow: .throttle, on: 1)
        slow.block()
        slower.block()
        let publisher = RetryingPublisher(loop, topic: topic, from: 1, through: 20, on: 1)
        publisher.start()
        loop.runUntilIdle()
        #expect(topic.publishedCount == 3 && healthy.numbers == [1, 2, 3])
        slower.disconnect()
        loop.runUntilIdle()
        #expect(topic.publishedCount == 5)
        try loop.unsubscribe(slow)
        loop.runUntilIdle()
        #expect(publisher.isDone && healthy.numbers == Array(1...20))
    }

    @Test func `a subscription of its own replay is no reason to wait`() throws {
        let loop = try loop(limits: .init(history: 50))
        try loop.publish(1...50)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        subscriber.block()
        try loop.subscribe(subscriber, lastN: 50, queue: 2, overflow: .throttle)
        loop.runUntilIdle()
        #expect(try loop.publish(51) == .published(51, subscribers: 1))
        #expect(try loop.publish(52) == .published(52, subscribers: 1))
        #expect(try loop.publish(53) == .throttled)
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(subscriber.numbers == Array(1...52))
    }

    @Test func `a publisher whose connection ends is not told`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let topic = try loop.subscribe(subscriber, queue: 1, overflow: .throttle)
        subscriber.block()
        let publishers = (0...1).map { RetryingPublisher(loop, topic: topic, from: $0 * 10, through: $0 * 10 + 3) }
        for publisher in publishers { publisher.start() }
        publishers[0].stop()
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(publishers[0].next == 1 && publishers[1].isDone)
    }

    @Test func `the bound in bytes makes publishers wait rather than lose anything`() throws {
        let loop = try loop(limits: .init(history: 1000, topicBytes: 1000))
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let topic = try loop.subscribe(subscriber, queue: 1000, overflow: .throttle)
        subscriber.block()
        let publisher = RetryingPublisher(loop, topic: topic, from: 1, through: 100)
        publisher.start()
        loop.runUntilIdle()
        #expect(topic.publishedCount < 15)
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(publisher.isDone && subscriber.numbers == Array(1...100))
    }
}
