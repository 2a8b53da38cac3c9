import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// Who gets what, in which order, when everybody reads.
@Suite struct DeliveryTests {
    private func loop(hubs: Int = 1, history: Int = 100) throws -> ManualLoop {
        let loop = ManualLoop(hubs: hubs, limits: MemoryBroker.Limits(history: history))
        try loop.broker.createTopic(named: "t")
        return loop
    }

    @Test func `a subscriber gets what is published after it came, in order, in both dialects`() throws {
        let loop = try loop()
        for dialect in Dialect.allCases {
            let subscriber = RecordingSubscriber(on: loop.hubs[0], dialect: dialect)
            try loop.publish(0)
            try loop.subscribe(subscriber)
            try loop.publish(1...5)
            #expect(subscriber.records.isEmpty)
            loop.runUntilIdle()
            #expect(subscriber.summary == "1 2 3 4 5")
            #expect(subscriber.deliveries == 1 && subscriber.isFlushed)
            #expect(subscriber.records.first == .event(topic: "t", message: #"{"n":1}"#))
        }
    }

    @Test func `topics do not leak into each other`() throws {
        let loop = try loop()
        try loop.broker.createTopic(named: "u")
        let first = RecordingSubscriber(on: loop.hubs[0])
        let second = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(first)
        try loop.subscribe(second, to: "u")
        try loop.subscribe(second)
        try loop.publish(1)
        try loop.publish(2, to: "u")
        try loop.publish(3)
        loop.runUntilIdle()
        #expect(first.numbers == [1, 3])
        #expect(second.numbers.sorted() == [1, 2, 3])
        #expect(second.records.contains(.event(topic: "u", message: #"{"n":2}"#)))
    }

    @Test func `two client_ids on one connection have a copy each`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let topic = try loop.subscribe(subscriber, as: "a")
        try loop.subscribe(subscriber, as: "b")
        #expect(topic.subscriberCount == 2)
        try loop.publish(1...3)
        loop.runUntilIdle()
        #expect(subscriber.summary == "1 2 3 1 2 3")
        try loop.unsubscribe(subscriber, as: "a")
        try loop.publish(4)
        loop.runUntilIdle()
        #expect(subscriber.numbers.suffix(1) == [4] && subscriber.numbers.count == 7)
        #expect(topic.subscriberCount == 1)
    }

    @Test(arguments: [1, 15, 16, 17, 18, 40, 200])
    func `any number of client_ids is told apart`(count: Int) throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        for _ in 1...2 {
            for client in 0..<count { try loop.subscribe(subscriber, as: "c\(client)", limit: 200) }
        }
        let topic = try #require(loop.broker.topic(named: "t"))
        #expect(topic.subscriberCount == count && subscriber.subscriptions.count == count)
        for client in stride(from: 0, to: count, by: 2) { try loop.unsubscribe(subscriber, as: "c\(client)") }
        #expect(topic.subscriberCount == count / 2)
        try loop.publish(1)
        loop.runUntilIdle()
        #expect(subscriber.numbers.count == count / 2)
        subscriber.disconnect()
        #expect(topic.subscriberCount == 0 && subscriber.subscriptions.count == 0)
    }

    @Test func `client_ids are compared byte for byte`() throws {
        let loop = try loop()
        for others in [0, 20] {
            let subscriber = RecordingSubscriber(on: loop.hubs[0])
            for other in 0..<others { try loop.subscribe(subscriber, as: "\(other)") }
            try loop.subscribe(subscriber, as: "caf\u{E9}")
            try loop.subscribe(subscriber, as: "cafe\u{301}")
            #expect(subscriber.subscriptions.count == others + 2)
        }
    }

    @Test func `subscribing again keeps one copy and replays again`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let topic = try loop.subscribe(subscriber)
        try loop.publish(1...3)
        loop.runUntilIdle()
        try loop.subscribe(subscriber, lastN: 2)
        #expect(topic.subscriberCount == 1)
        loop.runUntilIdle()
        try loop.publish(4)
        loop.runUntilIdle()
        #expect(subscriber.summary == "1 2 3 2 3 4")
    }

    @Test func `subscribing again while messages are on their way brings each of them once`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber)
        try loop.publish(1...3)
        try loop.subscribe(subscriber, lastN: 2)
        loop.runUntilIdle()
        #expect(subscriber.summary == "1 2 3")
    }

    @Test func `more subscriptions than the limit are refused, and subscribing again is not one more`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, as: "a", limit: 2)
        try loop.subscribe(subscriber, as: "b", limit: 2)
        try loop.subscribe(subscriber, as: "b", limit: 2)
        #expect(throws: BrokerError.self) { try loop.subscribe(subscriber, as: "c", limit: 2) }
        try loop.unsubscribe(subscriber, as: "a")
        try loop.subscribe(subscriber, as: "c", limit: 2)
    }

    @Test func `an unsubscribe delivers what was published before it, and nothing after`() throws {
        let loop = try loop(hubs: 2)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let other = RecordingSubscriber(on: loop.hubs[0])
        let topic = try loop.subscribe(subscriber)
        try loop.subscribe(other)
        try loop.publish(1...2)
        try loop.publish(3, on: 1)
        try loop.unsubscribe(subscriber)
        #expect(subscriber.summary == "1 2 3")
        try loop.publish(4)
        loop.runUntilIdle()
        #expect(subscriber.summary == "1 2 3" && subscriber.isFlushed)
        #expect(other.summary == "1 2 3 4")
        #expect(topic.subscriberCount == 1)
    }

    @Test func `what is not subscribed is unsubscribed without error, and what is no topic is not`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.unsubscribe(subscriber)
        try loop.subscribe(subscriber, as: "a")
        try loop.unsubscribe(subscriber, as: "b")
        #expect(subscriber.subscriptions.count == 1)
        #expect(throws: BrokerError(.topicNotFound, "Topic 'x' not found")) {
            try loop.unsubscribe(subscriber, from: "x")
        }
        #expect(throws: BrokerError(.topicNotFound, "Topic 'x' not found")) {
            try loop.subscribe(subscriber, to: "x")
        }
    }

    @Test func `two hubs see one order`() throws {
        let loop = try loop(hubs: 3)
        let subscribers = loop.hubs.map { RecordingSubscriber(on: $0) }
        for (hub, subscriber) in subscribers.enumerated() { try loop.subscribe(subscriber, on: hub) }
        for number in 0..<60 {
            try loop.publish(number, on: number % 3)
            if number % 7 == 0 { loop.runNext() }
        }
        loop.runUntilIdle()
        for subscriber in subscribers { #expect(subscriber.numbers == Array(0..<60)) }
    }

    @Test func `a publish wakes another hub once for a whole burst`() throws {
        let loop = try loop(hubs: 2)
        let subscriber = RecordingSubscriber(on: loop.hubs[1])
        try loop.subscribe(subscriber, on: 1)
        loop.runUntilIdle()
        try loop.publish(1...100)
        #expect(loop.dueHubs == [0])
        loop.run(0)
        #expect(loop.dueHubs == [1] && subscriber.records.isEmpty)
        loop.run(1)
        #expect(subscriber.numbers == Array(1...100) && subscriber.deliveries == 1)
    }

    @Test func `turns without work do no harm`() throws {
        let loop = try loop(hubs: 2)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber)
        try loop.publish(1, on: 1)
        for _ in 0..<3 {
            loop.run(0)
            loop.run(1)
        }
        #expect(subscriber.summary == "1" && subscriber.deliveries == 1)
    }

    @Test func `a hub's place for a topic is used again without mixing topics up`() throws {
        let loop = try loop(hubs: 2)
        try loop.broker.createTopic(named: "u")
        let subscriber = RecordingSubscriber(on: loop.hubs[1])
        try loop.subscribe(subscriber, on: 1)
        try loop.publish(1)
        subscriber.disconnect()
        try loop.subscribe(subscriber, to: "u", on: 1)
        try loop.publish(2, to: "u")
        try loop.subscribe(subscriber, on: 1)
        try loop.publish(3)
        loop.runUntilIdle()
        #expect(Set(subscriber.numbers) == [2, 3] && subscriber.numbers.count == 2)
    }
}
