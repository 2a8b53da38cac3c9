import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// Subscribers that go in the midst of something, and what they leave.
@Suite struct EndingTests {
    private func loop(hubs: Int = 1) throws -> ManualLoop {
        let loop = ManualLoop(hubs: hubs, limits: MemoryBroker.Limits(history: 5))
        try loop.broker.createTopic(named: "t")
        return loop
    }

    @Test(arguments: 0..<5)
    func `a subscriber that ends in the midst of a delivery takes nothing from the others`(index: Int) throws {
        let loop = try loop()
        let subscribers = (0..<5).map { _ in RecordingSubscriber(on: loop.hubs[0], waterMark: .init(frames: 2)) }
        for subscriber in subscribers { try loop.subscribe(subscriber) }
        let leaving = subscribers[index]
        leaving.onRecord = { [weak leaving] _ in leaving?.disconnect() }
        for number in 1...6 { try loop.publish(number) }
        loop.runUntilIdle()
        try loop.publish(7)
        loop.runUntilIdle()
        for subscriber in subscribers where subscriber !== leaving { #expect(subscriber.numbers == Array(1...7)) }
        #expect(!leaving.numbers.contains(7))
        #expect(loop.broker.topic(named: "t")?.subscriberCount == 4)
    }

    @Test(arguments: [[0], [4], [0, 4], [1, 2, 3], [0, 1, 2, 3, 4]])
    func `subscribers that another one's delivery ends are taken out cleanly`(victims: [Int]) throws {
        let loop = try loop()
        let subscribers = (0..<5).map { _ in RecordingSubscriber(on: loop.hubs[0]) }
        for subscriber in subscribers { try loop.subscribe(subscriber) }
        subscribers[2].onRecord = { _ in for victim in victims { subscribers[victim].disconnect() } }
        try loop.publish(1)
        loop.runUntilIdle()
        try loop.publish(2)
        loop.runUntilIdle()
        for (index, subscriber) in subscribers.enumerated() {
            #expect(subscriber.numbers.contains(2) != victims.contains(index))
        }
        #expect(loop.broker.topic(named: "t")?.subscriberCount == 5 - victims.count)
        subscribers[2].onRecord = nil
        // The places in the lists still fit: everybody can leave, in any order.
        for index in [3, 0, 4, 1, 2] { subscribers[index].disconnect() }
        #expect(loop.broker.topic(named: "t")?.subscriberCount == 0)
    }

    @Test func `one that throttled and ends in the midst of a delivery lets publishers go on`() throws {
        let loop = try loop(hubs: 2)
        let blocked = RecordingSubscriber(on: loop.hubs[0])
        let reading = RecordingSubscriber(on: loop.hubs[0])
        let topic = try loop.subscribe(blocked, queue: 2, overflow: .throttle)
        try loop.subscribe(reading, queue: 100, overflow: .throttle)
        blocked.block()
        reading.onRecord = { record in
            if record == .event(topic: "t", message: #"{"n":2}"#) { blocked.disconnect() }
        }
        let publisher = RetryingPublisher(loop, topic: topic, from: 1, through: 30, on: 1)
        publisher.start()
        loop.runUntilIdle()
        #expect(publisher.isDone && reading.numbers == Array(1...30))
    }

    @Test func `an ended subscriber gets nothing, and resuming it does nothing`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let topic = try loop.subscribe(subscriber, lastN: 5)
        subscriber.block()
        try loop.publish(1...3)
        loop.runUntilIdle()
        subscriber.disconnect()
        subscriber.unblock()
        subscriber.disconnect()
        loop.runUntilIdle()
        #expect(subscriber.records.isEmpty && topic.subscriberCount == 0)
    }

    @Test func `a subscription that ends before its replay began gets none`() throws {
        let loop = try loop()
        try loop.publish(1...3)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, lastN: 3)
        subscriber.disconnect()
        loop.runUntilIdle()
        #expect(subscriber.records.isEmpty)
    }

    @Test func `a subscriber is caught up when nothing is left for it`() throws {
        let loop = try loop()
        let hub = loop.hubs[0]
        let subscriber = RecordingSubscriber(on: hub)
        #expect(hub.isCaughtUp(subscriber))
        try loop.subscribe(subscriber, queue: 2)
        #expect(hub.isCaughtUp(subscriber))
        subscriber.block()
        try loop.publish(1...4)
        loop.runUntilIdle()
        #expect(!hub.isCaughtUp(subscriber))
        subscriber.unblock()
        #expect(hub.isCaughtUp(subscriber))
        #expect(subscriber.summary == "dropped(2) 3 4")
    }
}
