import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// Subscriptions that wait again when their topic is gone, are subscribed again, and unsubscribed.
@Suite struct WaitingAgainTests {
    private let loop = ManualLoop(hubs: 2)
    private let subscriber: RecordingSubscriber

    init() {
        subscriber = RecordingSubscriber(on: loop.hubs[0])
    }

    // MARK: Again

    @Test func `no topic is missed between the end of one and the next`() throws {
        try loop.wait(subscriber)
        for number in 1...50 {
            try loop.broker.createTopic(named: "t")
            try loop.publish(number, on: 1)
            if number % 7 == 0 { loop.runNext() }
            try loop.broker.deleteTopic(named: "t")
        }
        loop.runUntilIdle()
        let lives = (1...50).map { "created(epoch\($0)) \($0) deleted" }
        #expect(subscriber.summary == lives.joined(separator: " "))
        #expect(loop.counters.waiting == 1 && loop.counters.books.owed == loop.counters.books.accounted)
    }

    @Test func `who reads slowly gets one topic after the other, each told of at its place`() throws {
        try loop.wait(subscriber)
        subscriber.block()
        for number in 1...3 {
            try loop.broker.createTopic(named: "t")
            try loop.publish(number)
            loop.runUntilIdle()
            try loop.broker.deleteTopic(named: "t")
            loop.runUntilIdle()
        }
        try loop.broker.createTopic(named: "t")
        loop.runUntilIdle()
        #expect(subscriber.records.isEmpty)
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(
            subscriber.summary
                == "created(epoch1) 1 deleted created(epoch2) 2 deleted created(epoch3) 3 deleted created(epoch4)"
        )
    }

    @Test func `nothing is kept of what is over for who is always a few topics behind`() throws {
        let subscriber = RecordingSubscriber(on: loop.hubs[0], waterMark: .init(frames: 1), room: 0)
        try loop.wait(subscriber)
        var topics: [() -> Topic?] = []
        for number in 1...60 {
            let topic = try loop.broker.createTopic(named: "t")
            topics.append { [weak topic] in topic }
            try loop.publish(number)
            loop.runUntilIdle()
            try loop.broker.deleteTopic(named: "t")
            if number > 5 { subscriber.take(1) }
            loop.runUntilIdle()
        }
        let behind = 60 - subscriber.numbers.count
        #expect((1...15).contains(behind))
        #expect(topics.count { $0() != nil } <= behind + 1)
    }

    @Test func `who takes nothing is let go when too many topics have gone by`() throws {
        try loop.wait(subscriber)
        subscriber.block()
        for _ in 1...100 {
            try loop.broker.createTopic(named: "t")
            try loop.broker.deleteTopic(named: "t")
        }
        loop.runUntilIdle()
        #expect(subscriber.records.isEmpty)
        let last = try loop.broker.createTopic(named: "t")
        loop.runUntilIdle()
        #expect(subscriber.summary == "overloaded" && subscriber.subscriptions.isEmpty)
        #expect(last.subscriberCount == 0 && loop.broker.awaitedCount == 0)
        #expect(loop.counters.books.owed == loop.counters.books.accounted)
    }

    @Test func `who reads has any number of topics go by between two turns`() throws {
        try loop.wait(subscriber)
        for number in 1...500 {
            try loop.broker.createTopic(named: "t")
            try loop.publish(number, on: 1)
            try loop.broker.deleteTopic(named: "t")
        }
        loop.runUntilIdle()
        #expect(subscriber.numbers == Array(1...500))
    }

    // MARK: Subscribing again

    @Test func `subscribing again while it waits replaces it`() throws {
        try loop.wait(subscriber, since: .position(epoch: "old", offset: 1), queue: 5)
        #expect(try loop.wait(subscriber, queue: 9).isWaiting)
        #expect(subscriber.subscriptions.count == 1 && loop.broker.awaitedCount == 1)
        try loop.broker.createTopic(named: "t")
        try loop.publish(1)
        loop.runUntilIdle()
        #expect(subscriber.summary == "created(epoch1) 1")
        #expect(loop.hubs[0].subscriptionReports().map(\.queue) == [9])
    }

    @Test(arguments: [true, false])
    func `subscribing again finds the topic that its hub has not heard of`(waits: Bool) throws {
        try loop.wait(subscriber)
        let topic = try loop.broker.createTopic(named: "t")
        try loop.publish(1, on: 1)
        let receipt = waits ? try loop.wait(subscriber) : try loop.follow(subscriber)
        #expect(!receipt.isWaiting && receipt.epoch == "epoch1" && receipt.offset == 0 && topic.subscriberCount == 1)
        loop.runUntilIdle()
        // The answer has said that the topic is there.
        #expect(subscriber.summary == "1")
        try loop.deleteAndMake()
        loop.runUntilIdle()
        #expect(subscriber.summary == (waits ? "1 deleted created(epoch2)" : "1 deleted"))
        #expect(loop.broker.awaitedCount == (waits ? 1 : 0))
    }

    @Test func `an ordinary subscription may begin to wait`() throws {
        try loop.broker.createTopic(named: "t")
        try loop.follow(subscriber)
        try loop.wait(subscriber, limit: 1)
        try loop.publish(1)
        try loop.deleteAndMake()
        loop.runUntilIdle()
        #expect(subscriber.summary == "1 deleted created(epoch2)" && subscriber.subscriptions.count == 1)
        #expect(subscriber.records[1] == .deleted(topic: "t", waits: true))
    }

    @Test func `a refused subscribe leaves it as it was`() throws {
        try loop.wait(subscriber, queue: 5)
        #expect(throws: BrokerError.self) { try loop.follow(subscriber) }
        try loop.broker.createTopic(named: "t")
        loop.runUntilIdle()
        #expect(throws: BrokerError.self) {
            try loop.wait(subscriber, since: .position(epoch: "epoch1", offset: 9), queue: 6)
        }
        try loop.deleteAndMake()
        loop.runUntilIdle()
        #expect(subscriber.summary == "created(epoch1) deleted created(epoch2)")
        #expect(loop.hubs[0].subscriptionReports().map(\.queue) == [5])
    }

    // MARK: Unsubscribing

    @Test func `one that waits can be unsubscribed, and is gone`() throws {
        try loop.wait(subscriber)
        try loop.unsubscribe(subscriber)
        #expect(subscriber.subscriptions.isEmpty && loop.broker.awaitedCount == 0)
        try loop.broker.createTopic(named: "t")
        loop.runUntilIdle()
        #expect(subscriber.records.isEmpty && loop.broker.topic(named: "t")?.subscriberCount == 0)
        #expect(throws: BrokerError.self) { try loop.unsubscribe(subscriber, from: "other") }
    }

    @Test func `unsubscribing gives what there is of the topic that its hub has not heard of`() throws {
        try loop.wait(subscriber)
        let topic = try loop.broker.createTopic(named: "t")
        try loop.publish(1, on: 1)
        try loop.unsubscribe(subscriber)
        #expect(subscriber.summary == "created(epoch1) 1" && topic.subscriberCount == 0)
        loop.runUntilIdle()
        #expect(subscriber.subscriptions.isEmpty && loop.counters.books.owed == loop.counters.books.accounted)
    }

    @Test func `unsubscribing ends what a slow one has not got of topics that are gone`() throws {
        try loop.wait(subscriber)
        loop.runUntilIdle()
        subscriber.block()
        try loop.broker.createTopic(named: "t")
        try loop.publish(1)
        loop.runUntilIdle()
        try loop.deleteAndMake()
        try loop.publish(2)
        loop.runUntilIdle()
        try loop.unsubscribe(subscriber)
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(subscriber.records.isEmpty && subscriber.subscriptions.isEmpty)
        #expect(loop.counters.droppedEnded == 2 && loop.counters.books.owed == loop.counters.books.accounted)
    }

    @Test func `a connection's end takes those that wait along, also when a topic is on its way`() throws {
        for name in ["t", "u"] { try loop.wait(subscriber, for: name) }
        let topic = try loop.broker.createTopic(named: "t")
        try loop.publish(1, on: 1)
        subscriber.disconnect()
        #expect(loop.broker.awaitedCount == 0 && subscriber.subscriptions.isEmpty)
        loop.runUntilIdle()
        #expect(topic.subscriberCount == 0 && loop.counters.books.owed == loop.counters.books.accounted)
        #expect(subscriber.records.isEmpty && loop.counters.waiting == 0)
    }
}
