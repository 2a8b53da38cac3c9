import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// What bounds subscriptions that wait, and what many of them cost.
@Suite struct WaitingBoundsTests {
    private let loop = ManualLoop(hubs: 2)
    private let subscriber: RecordingSubscriber

    init() {
        subscriber = RecordingSubscriber(on: loop.hubs[0])
    }

    // MARK: Bounds

    @Test func `those that wait count to a connection's bound, one for each name`() throws {
        for name in ["a", "b"] { try loop.wait(subscriber, for: name, limit: 2) }
        let error = #expect(throws: BrokerError.self) { try loop.wait(subscriber, for: "c", limit: 2) }
        #expect(error?.code == .tooManySubscriptions)
        try loop.wait(subscriber, for: "a", limit: 2)
        try loop.broker.createTopic(named: "a")
        loop.runUntilIdle()
        #expect(subscriber.subscriptions.count == 2)
        try loop.unsubscribe(subscriber, from: "a")
        try loop.wait(subscriber, for: "c", limit: 2)
        #expect(subscriber.subscriptions.count == 2)
    }

    @Test func `they are no subscribers of anything`() throws {
        try loop.wait(subscriber)
        #expect(loop.hubs[0].subscriptionReports().isEmpty && loop.counters.subscriptions == 0)
    }

    @Test func `ten thousand of one connection cost little more than their number`() throws {
        for number in 0..<10_000 { try loop.wait(subscriber, for: "t\(number % 100)", as: "c\(number)", limit: 10_000) }
        let topic = try loop.broker.createTopic(named: "t7")
        try loop.publish(1, to: "t7", on: 1)
        loop.runUntilIdle()
        #expect(topic.subscriberCount == 100 && subscriber.numbers.count == 100)
        subscriber.disconnect()
        loop.runUntilIdle()
        #expect(loop.broker.awaitedCount == 0 && topic.subscriberCount == 0)
    }

    @Test(.timeLimit(.minutes(1)), arguments: [true, false], [true, false])
    func `a thousand of one name go over from one topic to the next`(waits: Bool, isSlow: Bool) throws {
        try loop.broker.createTopic(named: "t")
        func subscribe() throws {
            for number in 0..<1000 {
                var request = SubscribeRequest(topic: "t", clientID: "c\(number)")
                request.waits = waits
                try loop.subscribe(subscriber, request, limit: 6000, matches: 5000)
            }
        }
        try subscribe()
        for round in 0..<2 {
            if isSlow { subscriber.block() }
            try loop.publish(round)
            if round == 0 { loop.runUntilIdle() }
            try loop.deleteAndMake()
            if !waits { try subscribe() }
        }
        loop.runUntilIdle()
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(subscriber.numbers.count == 2000 && subscriber.subscriptions.count == 1000)
        #expect(loop.broker.topic(named: "t")?.subscriberCount == 1000)
        #expect(loop.counters.books.owed == loop.counters.books.accounted)
    }

    @Test func `topics of all its names together bound who takes nothing, too`() throws {
        for name in ["t", "u"] { try loop.wait(subscriber, for: name, matches: 3) }
        subscriber.block()
        for _ in 1...2 {
            for name in ["t", "u"] {
                try loop.broker.createTopic(named: name)
                try loop.broker.deleteTopic(named: name)
            }
        }
        try loop.broker.createTopic(named: "t")
        loop.runUntilIdle()
        #expect(subscriber.records.isEmpty && subscriber.subscriptions.count == 2)
        try loop.broker.createTopic(named: "u")
        loop.runUntilIdle()
        #expect(subscriber.summary == "overloaded" && subscriber.subscriptions.isEmpty)
        #expect(loop.counters.books.owed == loop.counters.books.accounted)
    }
}
