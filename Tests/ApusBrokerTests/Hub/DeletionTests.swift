import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

@Suite struct DeletionTests {
    private func loop(hubs: Int = 1, topicBytes: Int = 1 << 30) throws -> ManualLoop {
        let loop = ManualLoop(hubs: hubs, limits: MemoryBroker.Limits(history: 10, topicBytes: topicBytes))
        try loop.broker.createTopic(named: "t")
        return loop
    }

    @Test func `what was published before a deletion comes before its notice`() throws {
        let loop = try loop(hubs: 2)
        let subscribers = loop.hubs.map { RecordingSubscriber(on: $0) }
        for hub in 0...1 { try loop.subscribe(subscribers[hub], on: hub) }
        let topic = try #require(loop.broker.topic(named: "t"))
        try loop.publish(1...3)
        try loop.broker.deleteTopic(named: "t")
        loop.runUntilIdle()
        for subscriber in subscribers {
            #expect(subscriber.summary == "1 2 3 deleted")
            #expect(subscriber.subscriptions.count == 0)
        }
        #expect(topic.subscriberCount == 0)
    }

    @Test func `a blocked subscriber gets it all, and then the notice`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let topic = try loop.subscribe(subscriber)
        subscriber.block()
        try loop.publish(1...50)
        loop.runUntilIdle()
        try loop.broker.deleteTopic(named: "t")
        loop.runUntilIdle()
        #expect(subscriber.records.isEmpty && topic.subscriberCount == 1)
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(subscriber.summary == (1...50).summary + " deleted")
        #expect(topic.subscriberCount == 0 && subscriber.isFlushed)
    }

    @Test func `what was dropped is announced before the notice`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, queue: 5)
        subscriber.block()
        try loop.publish(1...20)
        loop.runUntilIdle()
        try loop.broker.deleteTopic(named: "t")
        loop.runUntilIdle()
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(subscriber.summary == "dropped(15) 16 17 18 19 20 deleted")
    }

    @Test func `every subscription is told, also of one that goes on in another topic`() throws {
        let loop = try loop()
        try loop.broker.createTopic(named: "u")
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, as: "a")
        try loop.subscribe(subscriber, as: "b")
        try loop.subscribe(subscriber, to: "u")
        try loop.broker.deleteTopic(named: "t")
        try loop.publish(1, to: "u")
        loop.runUntilIdle()
        let deleted = subscriber.records.filter { $0 == .deleted(topic: "t") }
        #expect(deleted.count == 2 && subscriber.numbers == [1])
        #expect(subscriber.subscriptions.count == 1)
    }

    @Test func `a topic of the same name is another one`() throws {
        let loop = try loop(hubs: 2)
        let subscriber = RecordingSubscriber(on: loop.hubs[1])
        try loop.subscribe(subscriber, on: 1)
        try loop.publish(1...2)
        loop.runUntilIdle()
        try loop.broker.deleteTopic(named: "t")
        try loop.broker.createTopic(named: "t")
        try loop.publish(3)
        loop.runUntilIdle()
        #expect(subscriber.summary == "1 2 deleted")
        try loop.subscribe(subscriber, lastN: 10, on: 1)
        try loop.publish(4)
        loop.runUntilIdle()
        #expect(subscriber.summary == "1 2 deleted 3 4")
    }

    @Test func `the end of a topic comes before the messages of its successor`() throws {
        // The subscriber's hub publishes to the successor before it looks at its mailbox.
        let loop = try loop(hubs: 2)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber)
        loop.runUntilIdle()
        try loop.publish(1, on: 1)
        loop.run(1)
        try loop.broker.deleteTopic(named: "t")
        try loop.broker.createTopic(named: "t")
        try loop.subscribe(subscriber)
        try loop.publish(2)
        loop.runUntilIdle()
        #expect(subscriber.summary == "1 deleted 2")
    }

    @Test func `a deletion lets waiting publishers go on`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, queue: 1, overflow: .throttle)
        subscriber.block()
        let topic = try #require(loop.broker.topic(named: "t"))
        let publisher = RetryingPublisher(loop, topic: topic, from: 1, through: 3)
        publisher.start()
        loop.runUntilIdle()
        #expect(publisher.outcomes == [.published(1, subscribers: 1), .throttled])
        try loop.broker.deleteTopic(named: "t")
        loop.runUntilIdle()
        #expect(publisher.outcomes == [.published(1, subscribers: 1), .throttled, .deleted])
    }

    @Test func `a subscriber that leaves in answer to the notice leaves nothing behind`() throws {
        let loop = try loop()
        try loop.broker.createTopic(named: "u")
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let other = RecordingSubscriber(on: loop.hubs[0])
        for name in ["t", "u"] { try loop.subscribe(subscriber, to: name) }
        for client in ["a", "b"] { try loop.subscribe(other, as: client) }
        subscriber.onRecord = { [weak subscriber] record in
            if record == .deleted(topic: "t") { subscriber?.disconnect() }
        }
        try loop.broker.deleteTopic(named: "t")
        try loop.publish(1, to: "u")
        loop.runUntilIdle()
        #expect(other.summary == "deleted deleted")
        #expect(loop.broker.topic(named: "u")?.subscriberCount == 0)
        #expect(subscriber.subscriptions.count == 0)
    }
}
