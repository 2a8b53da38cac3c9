import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// Subscriptions to every topic that matches.
@Suite struct PatternTests {
    private func loop(hubs: Int = 1, topics: [String] = []) throws -> ManualLoop {
        let loop = ManualLoop(hubs: hubs)
        for name in topics { try loop.broker.createTopic(named: name) }
        return loop
    }

    private func subscribe(
        _ subscriber: RecordingSubscriber,
        _ pattern: String,
        as clientID: String = "c",
        lastN: Int = 0,
        queue: Int = 100,
        overflow: OverflowPolicy = .dropOldest,
        matches: Int = 100,
        _ loop: ManualLoop,
        on hub: Int = 0
    ) throws -> SubscribeReceipt {
        let request = SubscribeRequest(
            topic: pattern,
            clientID: clientID,
            start: .lastN(lastN),
            queue: queue,
            overflow: overflow,
            detail: .keyed
        )
        return try loop.subscribe(subscriber, request, matches: matches, on: hub)
    }

    @Test func `events of all topics that match come with the topic's own name`() throws {
        let loop = try loop(topics: ["orders.eu", "orders.us", "orders", "other.eu"])
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let receipt = try subscribe(subscriber, "orders.*", loop)
        #expect(receipt.topicJSON == Array(#""orders.*""#.utf8) && receipt.isRecovered == nil)
        for (number, name) in ["orders.eu", "orders.us", "orders", "other.eu"].enumerated() {
            try loop.publish(number, to: name)
        }
        loop.runUntilIdle()
        #expect(
            Set(subscriber.records) == [
                .event(topic: "orders.eu", message: ManualLoop.message(0)),
                .event(topic: "orders.us", message: ManualLoop.message(1)),
            ]
        )
        #expect(loop.broker.topic(named: "orders.eu")?.subscriberCount == 1)
        #expect(loop.broker.topic(named: "orders")?.subscriberCount == 0)
    }

    @Test func `a topic made later is followed from its first message on`() throws {
        let loop = try loop(hubs: 2)
        let subscriber = RecordingSubscriber(on: loop.hubs[1])
        _ = try subscribe(subscriber, "a.>", loop, on: 1)
        let topic = try loop.broker.createTopic(named: "a.b.c")
        // The subscriber's hub has not heard of it, but it counts and is kept for it.
        #expect(topic.subscriberCount == 1)
        #expect(try loop.publish(1, to: "a.b.c") == .published(1, subscribers: 1))
        loop.run(0)
        try loop.publish(2...500, to: "a.b.c")
        loop.runUntilIdle()
        #expect(subscriber.numbers == Array(1...500))
    }

    @Test func `what was published to a new topic comes though it is deleted at once`() throws {
        let loop = try loop(hubs: 2)
        let subscriber = RecordingSubscriber(on: loop.hubs[1])
        _ = try subscribe(subscriber, ">", loop, on: 1)
        for round in 0..<3 {
            let topic = try loop.broker.createTopic(named: "t")
            try loop.publish(round)
            try loop.broker.deleteTopic(named: "t")
            #expect(topic.subscriberCount == 1)
        }
        loop.runUntilIdle()
        #expect(subscriber.summary == "0 deleted 1 deleted 2 deleted")
        #expect(subscriber.records.contains(.deleted(topic: "t", byPattern: true)))
    }

    @Test func `two subscriptions that match are two copies`() throws {
        let loop = try loop(topics: ["a.b"])
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        _ = try subscribe(subscriber, "a.*", loop)
        _ = try subscribe(subscriber, "*.b", loop)
        try loop.subscribe(subscriber, to: "a.b")
        #expect(try loop.publish(1, to: "a.b") == .published(1, subscribers: 3))
        loop.runUntilIdle()
        #expect(subscriber.numbers == [1, 1, 1])
        #expect(subscriber.subscriptions.count == 3)
    }

    @Test func `last_n applies to each topic`() throws {
        let loop = try loop(topics: ["a.x", "a.y"])
        try loop.publish(1...5, to: "a.x")
        try loop.publish(11...12, to: "a.y")
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        _ = try subscribe(subscriber, "a.*", lastN: 3, loop)
        loop.runUntilIdle()
        #expect(subscriber.numbers.sorted() == [3, 4, 5, 11, 12])
    }

    @Test func `unsubscribing takes the pattern and all it brought, and nothing else`() throws {
        let loop = try loop(topics: ["a.x", "a.y"])
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        _ = try subscribe(subscriber, "a.*", loop)
        try loop.subscribe(subscriber, to: "a.x")
        try loop.publish(1, to: "a.x")
        try loop.unsubscribe(subscriber, from: "a.*")
        try loop.publish(2, to: "a.x")
        try loop.publish(3, to: "a.y")
        try loop.broker.createTopic(named: "a.z")
        try loop.publish(4, to: "a.z")
        loop.runUntilIdle()
        #expect(subscriber.numbers == [1, 1, 2])
        #expect(loop.broker.filterCount == 0 && subscriber.subscriptions.count == 1)
        #expect(loop.broker.topic(named: "a.z")?.subscriberCount == 0)
        try loop.unsubscribe(subscriber, from: "a.*")
    }

    @Test func `a pattern given up before its hub heard of a topic leaves nothing there`() throws {
        let loop = try loop(hubs: 2)
        let subscriber = RecordingSubscriber(on: loop.hubs[1])
        _ = try subscribe(subscriber, "*", loop, on: 1)
        let topic = try loop.broker.createTopic(named: "t")
        try loop.publish(1)
        subscriber.disconnect()
        loop.runUntilIdle()
        #expect(topic.subscriberCount == 0 && subscriber.records.isEmpty)
        #expect(loop.counters.books.owed == loop.counters.books.accounted)
        try loop.broker.deleteTopic(named: "t")
        #expect(topic.logBytes == 0)
    }

    @Test func `subscribing again replaces the options of all it brought, and of what it will bring`() throws {
        let loop = try loop(topics: ["a.x"])
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        _ = try subscribe(subscriber, "a.*", queue: 50, loop)
        _ = try subscribe(subscriber, "a.*", queue: 2, loop)
        #expect(loop.broker.filterCount == 1 && subscriber.subscriptions.count == 1)
        subscriber.block()
        try loop.broker.createTopic(named: "a.y")
        loop.runUntilIdle()
        for name in ["a.x", "a.y"] { try loop.publish(1...5, to: name) }
        loop.runUntilIdle()
        subscriber.unblock()
        #expect(subscriber.numbers == [4, 5, 4, 5])
    }

    @Test func `a topic's settings hold for patterns that name no policy`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, SubscribeRequest(topic: ">", clientID: "c", detail: .keyed))
        _ = try loop.broker.putTopic(named: "t") {
            $0.queue = 2
            $0.overflow = .disconnect
        }
        loop.runUntilIdle()
        subscriber.block()
        try loop.publish(1...3)
        loop.runUntilIdle()
        #expect(subscriber.records.last == .slowConsumer(topic: "t"))
    }

    @Test func `patterns that match too much are refused, and one that comes to it ends its connection`() throws {
        let loop = try loop(topics: ["a", "b", "c"])
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        #expect(throws: BrokerError.self) { _ = try subscribe(subscriber, "*", matches: 2, loop) }
        #expect(loop.broker.filterCount == 0 && loop.broker.topic(named: "a")?.subscriberCount == 0)
        _ = try subscribe(subscriber, "*", matches: 3, loop)
        let last = try loop.broker.createTopic(named: "d")
        loop.runUntilIdle()
        #expect(subscriber.records.contains(.overloaded))
        #expect(loop.broker.filterCount == 0 && last.subscriberCount == 0)
        #expect(subscriber.subscriptions.isEmpty)
    }

    @Test(arguments: ["a*", "a.*b", ">.a", "a.>.b", "a>", "**"])
    func `what is no pattern is refused`(pattern: String) throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        #expect(throws: BrokerError.self) { _ = try subscribe(subscriber, pattern, loop) }
        #expect(throws: BrokerError.self) { try loop.unsubscribe(subscriber, from: pattern) }
        #expect(loop.broker.filterCount == 0)
    }

    @Test func `a throttling pattern makes publishers of a new topic wait once its hub has heard of it`() throws {
        let loop = try loop(hubs: 2)
        let subscriber = RecordingSubscriber(on: loop.hubs[1])
        _ = try subscribe(subscriber, ">", queue: 3, overflow: .throttle, loop, on: 1)
        subscriber.block()
        let topic = try loop.broker.createTopic(named: "t")
        loop.runUntilIdle()
        let publisher = RetryingPublisher(loop, topic: topic, from: 1, through: 10)
        publisher.start()
        loop.runUntilIdle()
        #expect(topic.publishedCount == 3)
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(publisher.isDone && subscriber.numbers == Array(1...10))
    }

    @Test func `each of many patterns is found again by its text and client_id`() throws {
        let loop = try loop(topics: ["a.x"])
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        // More than are searched one by one, twice each.
        for _ in 1...2 {
            for number in 0..<40 {
                _ = try subscribe(subscriber, ["a.*", "a.>"][number % 2], as: "c\(number / 2)", loop)
            }
        }
        #expect(subscriber.subscriptions.count == 40 && subscriber.subscriptions.matchCount == 40)
        for number in stride(from: 0, to: 40, by: 3) {
            try loop.unsubscribe(subscriber, from: ["a.*", "a.>"][number % 2], as: "c\(number / 2)")
        }
        #expect(subscriber.subscriptions.count == 26 && subscriber.subscriptions.matchCount == 26)
        try loop.publish(1, to: "a.x")
        loop.runUntilIdle()
        #expect(subscriber.numbers == Array(repeating: 1, count: 26))
        for number in 0..<40 {
            try loop.unsubscribe(subscriber, from: ["a.*", "a.>"][number % 2], as: "c\(number / 2)")
        }
        #expect(subscriber.subscriptions.isEmpty)
    }
}
