import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// Subscriptions that wait for their topic, and again when it is gone.
@Suite struct WaitingTests {
    private let loop = ManualLoop(hubs: 2)
    private let subscriber: RecordingSubscriber

    init() {
        subscriber = RecordingSubscriber(on: loop.hubs[0])
    }

    @discardableResult
    private func wait(
        _ subscriber: RecordingSubscriber? = nil,
        for name: String = "t",
        as clientID: String = "c",
        since start: ReplayStart = .lastN(0),
        queue: Int? = nil,
        overflow: OverflowPolicy? = nil,
        limit: Int = 100,
        makesTopic: Bool = false,
        on hub: Int = 0
    ) throws -> SubscribeReceipt {
        var request = SubscribeRequest(
            topic: name,
            clientID: clientID,
            start: start,
            queue: queue,
            overflow: overflow,
            detail: .positioned
        )
        request.waits = true
        request.makesTopic = makesTopic
        return try loop.subscribe(subscriber ?? self.subscriber, request, limit: limit, on: hub)
    }

    private func deleteAndMake() throws {
        try loop.broker.deleteTopic(named: "t")
        try loop.broker.createTopic(named: "t")
    }

    // MARK: Waiting

    @Test func `what is published at once to the topic that comes is not missed`() throws {
        let receipt = try wait()
        #expect(receipt.isWaiting && receipt.topicJSON == Array(#""t""#.utf8) && receipt.isRecovered == nil)
        #expect(loop.counters.waiting == 1 && loop.counters.subscriptions == 0)
        try loop.broker.createTopic(named: "t")
        #expect(try loop.publish(1, on: 1) == .published(1, subscribers: 1))
        loop.run(1)
        try loop.publish(2...300, on: 1)
        loop.runUntilIdle()
        #expect(subscriber.summary == "created(epoch1) \((1...300).summary)")
        #expect(subscriber.offsets == Array(1...300) && loop.counters.waiting == 0)
    }

    @Test func `a topic that comes without messages is told of`() throws {
        try wait()
        try loop.broker.createTopic(named: "t")
        loop.runUntilIdle()
        #expect(subscriber.summary == "created(epoch1)" && subscriber.isFlushed)
    }

    @Test func `where the topic is there it is an ordinary subscription`() throws {
        try loop.broker.createTopic(named: "t")
        try loop.publish(1...5)
        let receipt = try wait(since: .lastN(2))
        #expect(!receipt.isWaiting && receipt.epoch == "epoch1" && receipt.offset == 3)
        loop.runUntilIdle()
        #expect(subscriber.summary == "4 5" && subscriber.subscriptions.count == 1)
    }

    @Test func `another topic is not taken for it, be it spelled nearly the same`() throws {
        try wait(for: "caf\u{e9}")
        for name in ["t", "cafe\u{301}", "caf\u{e9}.x"] { try loop.broker.createTopic(named: name) }
        loop.runUntilIdle()
        #expect(subscriber.records.isEmpty && loop.counters.waiting == 1)
    }

    @Test(arguments: ["", "a*", "a\u{7}", String(repeating: "x", count: 256)])
    func `a name that no topic can have is not waited for`(name: String) {
        let error = #expect(throws: BrokerError.self) { try wait(for: name) }
        #expect(error?.code == (name == "a*" ? .filterNotAllowed : .nameNotAllowed))
        #expect(subscriber.subscriptions.isEmpty && loop.broker.awaitedCount == 0)
    }

    @Test func `its options are those of the topic that came, where it named none`() throws {
        try wait()
        try wait(as: "own", queue: 7, overflow: .latest)
        _ = try loop.broker.putTopic(named: "t") { topic in
            topic.queue = 3
            topic.overflow = .disconnect
        }
        loop.runUntilIdle()
        let reports = loop.hubs[0].subscriptionReports()
        #expect(Set(reports.map { "\($0.clientID) \($0.queue) \($0.overflow)" }) == ["c 3 disconnect", "own 7 latest"])
    }

    @Test func `a throttling one holds publishers from the first message on`() throws {
        try wait(queue: 2, overflow: .throttle)
        subscriber.block()
        try loop.broker.createTopic(named: "t")
        loop.runUntilIdle()
        #expect(try (1...3).map { try loop.publish($0) } == [.published(1, subscribers: 1), .published(2, subscribers: 1), .throttled])
    }

    // MARK: Positions

    @Test func `a position of an epoch that is gone is told of once`() throws {
        #expect(try wait(since: .position(epoch: "old", offset: 41)).isWaiting)
        try loop.broker.createTopic(named: "t")
        try loop.publish(1)
        loop.runUntilIdle()
        try deleteAndMake()
        loop.runUntilIdle()
        #expect(subscriber.summary == "created(epoch1) unrecovered 1 deleted created(epoch2)")
    }

    @Test func `a position that was found is not told of when the topic is made again`() throws {
        try loop.broker.createTopic(named: "t")
        try loop.publish(1...3)
        let receipt = try wait(since: .position(epoch: "epoch1", offset: 2))
        #expect(receipt.isRecovered == true && !receipt.isWaiting)
        try deleteAndMake()
        try loop.publish(4)
        loop.runUntilIdle()
        #expect(subscriber.summary == "3 deleted created(epoch2) 4")
    }

    @Test(arguments: [ReplayStart.all, .age(1000), .time(0), .lastN(3)])
    func `any other start is the beginning`(start: ReplayStart) throws {
        try wait(since: start)
        try loop.broker.createTopic(named: "t")
        try loop.publish(1...5)
        loop.clock.advance(by: 5000)
        loop.runUntilIdle()
        #expect(subscriber.summary == "created(epoch1) 1 2 3 4 5")
    }

    @Test func `a position that is yet to come is refused, and nothing waits`() throws {
        try loop.broker.createTopic(named: "t")
        let error = #expect(throws: BrokerError.self) { try wait(since: .position(epoch: "epoch1", offset: 1)) }
        #expect(error?.code == .positionInFuture)
        #expect(subscriber.subscriptions.isEmpty && loop.broker.awaitedCount == 0)
    }

    // MARK: Again

    @Test func `no topic is missed between the end of one and the next`() throws {
        try wait()
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
        try wait()
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

    @Test func `who takes nothing is let go when too many topics have gone by`() throws {
        try wait()
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
        try wait()
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
        try wait(since: .position(epoch: "old", offset: 1), queue: 5)
        #expect(try wait(queue: 9).isWaiting)
        #expect(subscriber.subscriptions.count == 1 && loop.broker.awaitedCount == 1)
        try loop.broker.createTopic(named: "t")
        try loop.publish(1)
        loop.runUntilIdle()
        #expect(subscriber.summary == "created(epoch1) 1")
        #expect(loop.hubs[0].subscriptionReports().map(\.queue) == [9])
    }

    @Test(arguments: [true, false])
    func `subscribing again finds the topic that its hub has not heard of`(waits: Bool) throws {
        try wait()
        let topic = try loop.broker.createTopic(named: "t")
        try loop.publish(1, on: 1)
        let receipt = waits ? try wait() : try loop.follow(subscriber)
        #expect(!receipt.isWaiting && receipt.epoch == "epoch1" && receipt.offset == 0 && topic.subscriberCount == 1)
        loop.runUntilIdle()
        // The answer has said that the topic is there.
        #expect(subscriber.summary == "1")
        try deleteAndMake()
        loop.runUntilIdle()
        #expect(subscriber.summary == (waits ? "1 deleted created(epoch2)" : "1 deleted"))
        #expect(loop.broker.awaitedCount == (waits ? 1 : 0))
    }

    @Test func `an ordinary subscription may begin to wait`() throws {
        try loop.broker.createTopic(named: "t")
        try loop.follow(subscriber)
        try wait(limit: 1)
        try loop.publish(1)
        try deleteAndMake()
        loop.runUntilIdle()
        #expect(subscriber.summary == "1 deleted created(epoch2)" && subscriber.subscriptions.count == 1)
        #expect(subscriber.records[1] == .deleted(topic: "t", waits: true))
    }

    @Test func `a refused subscribe leaves it as it was`() throws {
        try wait(queue: 5)
        #expect(throws: BrokerError.self) { try loop.follow(subscriber) }
        try loop.broker.createTopic(named: "t")
        loop.runUntilIdle()
        #expect(throws: BrokerError.self) { try wait(since: .position(epoch: "epoch1", offset: 9), queue: 6) }
        try deleteAndMake()
        loop.runUntilIdle()
        #expect(subscriber.summary == "created(epoch1) deleted created(epoch2)")
        #expect(loop.hubs[0].subscriptionReports().map(\.queue) == [5])
    }

    // MARK: Unsubscribing

    @Test func `one that waits can be unsubscribed, and is gone`() throws {
        try wait()
        try loop.unsubscribe(subscriber)
        #expect(subscriber.subscriptions.isEmpty && loop.broker.awaitedCount == 0)
        try loop.broker.createTopic(named: "t")
        loop.runUntilIdle()
        #expect(subscriber.records.isEmpty && loop.broker.topic(named: "t")?.subscriberCount == 0)
        #expect(throws: BrokerError.self) { try loop.unsubscribe(subscriber, from: "other") }
    }

    @Test func `unsubscribing gives what there is of the topic that its hub has not heard of`() throws {
        try wait()
        let topic = try loop.broker.createTopic(named: "t")
        try loop.publish(1, on: 1)
        try loop.unsubscribe(subscriber)
        #expect(subscriber.summary == "created(epoch1) 1" && topic.subscriberCount == 0)
        loop.runUntilIdle()
        #expect(subscriber.subscriptions.isEmpty && loop.counters.books.owed == loop.counters.books.accounted)
    }

    @Test func `unsubscribing ends what a slow one has not got of topics that are gone`() throws {
        try wait()
        loop.runUntilIdle()
        subscriber.block()
        try loop.broker.createTopic(named: "t")
        try loop.publish(1)
        loop.runUntilIdle()
        try deleteAndMake()
        try loop.publish(2)
        loop.runUntilIdle()
        try loop.unsubscribe(subscriber)
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(subscriber.records.isEmpty && subscriber.subscriptions.isEmpty)
        #expect(loop.counters.droppedEnded == 2 && loop.counters.books.owed == loop.counters.books.accounted)
    }

    @Test func `a connection's end takes those that wait along, also when a topic is on its way`() throws {
        for name in ["t", "u"] { try wait(for: name) }
        let topic = try loop.broker.createTopic(named: "t")
        try loop.publish(1, on: 1)
        subscriber.disconnect()
        #expect(loop.broker.awaitedCount == 0 && subscriber.subscriptions.isEmpty)
        loop.runUntilIdle()
        #expect(topic.subscriberCount == 0 && loop.counters.books.owed == loop.counters.books.accounted)
        #expect(subscriber.records.isEmpty && loop.counters.waiting == 0)
    }

    // MARK: Bounds

    @Test func `those that wait count to a connection's bound, one for each name`() throws {
        for name in ["a", "b"] { try wait(for: name, limit: 2) }
        let error = #expect(throws: BrokerError.self) { try wait(for: "c", limit: 2) }
        #expect(error?.code == .tooManySubscriptions)
        try wait(for: "a", limit: 2)
        try loop.broker.createTopic(named: "a")
        loop.runUntilIdle()
        #expect(subscriber.subscriptions.count == 2)
        try loop.unsubscribe(subscriber, from: "a")
        try wait(for: "c", limit: 2)
        #expect(subscriber.subscriptions.count == 2)
    }

    @Test func `they are no subscribers of anything`() throws {
        try wait()
        #expect(loop.hubs[0].subscriptionReports().isEmpty && loop.counters.subscriptions == 0)
    }

    @Test func `ten thousand of one connection cost little more than their number`() throws {
        for number in 0..<10_000 { try wait(for: "t\(number % 100)", as: "c\(number)", limit: 10_000) }
        let topic = try loop.broker.createTopic(named: "t7")
        try loop.publish(1, to: "t7", on: 1)
        loop.runUntilIdle()
        #expect(topic.subscriberCount == 100 && subscriber.numbers.count == 100)
        subscriber.disconnect()
        #expect(loop.broker.awaitedCount == 0 && topic.subscriberCount == 0)
    }

    @Test(.timeLimit(.minutes(1)), arguments: [true, false], [true, false])
    func `two thousand of one name go over from one topic to the next`(waits: Bool, isSlow: Bool) throws {
        try loop.broker.createTopic(named: "t")
        func subscribe() throws {
            for number in 0..<2000 {
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
            try deleteAndMake()
            if !waits { try subscribe() }
        }
        loop.runUntilIdle()
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(subscriber.numbers.count == 4000 && subscriber.subscriptions.count == 2000)
        #expect(loop.broker.topic(named: "t")?.subscriberCount == 2000)
        #expect(loop.counters.books.owed == loop.counters.books.accounted)
    }

    @Test func `topics of all its names together bound who takes nothing, too`() throws {
        for name in ["t", "u"] { try loop.subscribe(subscriber, waiting(for: name), matches: 3) }
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

    private func waiting(for name: String) -> SubscribeRequest {
        var request = SubscribeRequest(topic: name, clientID: "c")
        request.waits = true
        return request
    }

    // MARK: Making topics

    @Test func `where a subscribe makes topics there is nothing to wait for`() throws {
        let receipt = try wait(makesTopic: true)
        #expect(!receipt.isWaiting && receipt.epoch == "epoch1" && receipt.offset == 0)
        try loop.broker.deleteTopic(named: "t")
        loop.runUntilIdle()
        // A topic that is gone is not made again by those who had it.
        #expect(subscriber.summary == "deleted" && loop.broker.topic(named: "t") == nil && loop.counters.waiting == 1)
        #expect(try wait(makesTopic: true).epoch == "epoch2")
        loop.runUntilIdle()
        #expect(subscriber.summary == "deleted")
    }

    @Test func `a subscribe that is refused makes no topic`() throws {
        try wait(for: "a", limit: 1)
        var request = SubscribeRequest(topic: "b", clientID: "c")
        request.makesTopic = true
        let error = #expect(throws: BrokerError.self) { try loop.subscribe(subscriber, request, limit: 1) }
        #expect(error?.code == .tooManySubscriptions && loop.broker.topics.isEmpty)
        request.topic = "b\u{1}"
        let other = #expect(throws: BrokerError.self) { try loop.subscribe(subscriber, request) }
        #expect(other?.code == .nameNotAllowed)
    }

    // MARK: Presence

    @Test func `others hear of it when the topic is there, and it of others after that`() throws {
        let other = RecordingSubscriber(on: loop.hubs[1])
        var request = SubscribeRequest(topic: "t", clientID: "w", detail: .keyed, presence: true)
        request.waits = true
        try loop.subscribe(subscriber, request)
        request.clientID = "v"
        try loop.subscribe(other, request, on: 1)
        try loop.broker.createTopic(named: "t")
        loop.runUntilIdle()
        for records in [subscriber.records, other.records] {
            #expect(records.first == .created(topic: "t", epoch: "epoch1"))
        }
        other.disconnect()
        loop.runUntilIdle()
        #expect(subscriber.summary.hasSuffix("-v"))
    }
}
