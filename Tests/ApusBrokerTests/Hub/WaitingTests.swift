import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// Subscriptions that wait for their topic.
@Suite struct WaitingTests {
    private let loop = ManualLoop(hubs: 2)
    private let subscriber: RecordingSubscriber

    init() {
        subscriber = RecordingSubscriber(on: loop.hubs[0])
    }

    // MARK: Waiting

    @Test func `what is published at once to the topic that comes is not missed`() throws {
        let receipt = try loop.wait(subscriber)
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
        try loop.wait(subscriber)
        try loop.broker.createTopic(named: "t")
        loop.runUntilIdle()
        #expect(subscriber.summary == "created(epoch1)" && subscriber.isFlushed)
    }

    @Test func `where the topic is there it is an ordinary subscription`() throws {
        try loop.broker.createTopic(named: "t")
        try loop.publish(1...5)
        let receipt = try loop.wait(subscriber, since: .lastN(2))
        #expect(!receipt.isWaiting && receipt.epoch == "epoch1" && receipt.offset == 3)
        loop.runUntilIdle()
        #expect(subscriber.summary == "4 5" && subscriber.subscriptions.count == 1)
    }

    @Test func `another topic is not taken for it, be it spelled nearly the same`() throws {
        try loop.wait(subscriber, for: "caf\u{e9}")
        for name in ["t", "cafe\u{301}", "caf\u{e9}.x"] { try loop.broker.createTopic(named: name) }
        loop.runUntilIdle()
        #expect(subscriber.records.isEmpty && loop.counters.waiting == 1)
    }

    @Test(arguments: ["", "a*", "a\u{7}", String(repeating: "x", count: 256)])
    func `a name that no topic can have is not waited for`(name: String) {
        let error = #expect(throws: BrokerError.self) { try loop.wait(subscriber, for: name) }
        #expect(error?.code == (name == "a*" ? .filterNotAllowed : .nameNotAllowed))
        #expect(subscriber.subscriptions.isEmpty && loop.broker.awaitedCount == 0)
    }

    @Test func `its options are those of the topic that came, where it named none`() throws {
        try loop.wait(subscriber)
        try loop.wait(subscriber, as: "own", queue: 7, overflow: .latest)
        _ = try loop.broker.putTopic(named: "t") { topic in
            topic.queue = 3
            topic.overflow = .disconnect
        }
        loop.runUntilIdle()
        let reports = loop.hubs[0].subscriptionReports()
        #expect(Set(reports.map { "\($0.clientID) \($0.queue) \($0.overflow)" }) == ["c 3 disconnect", "own 7 latest"])
    }

    @Test func `a throttling one holds publishers from the first message on`() throws {
        try loop.wait(subscriber, queue: 2, overflow: .throttle)
        subscriber.block()
        try loop.broker.createTopic(named: "t")
        loop.runUntilIdle()
        let outcomes = try (1...3).map { try loop.publish($0) }
        #expect(outcomes == [.published(1, subscribers: 1), .published(2, subscribers: 1), .throttled])
    }

    // MARK: Positions

    @Test func `a position of an epoch that is gone is told of once`() throws {
        #expect(try loop.wait(subscriber, since: .position(epoch: "old", offset: 41)).isWaiting)
        try loop.broker.createTopic(named: "t")
        try loop.publish(1)
        loop.runUntilIdle()
        try loop.deleteAndMake()
        loop.runUntilIdle()
        #expect(subscriber.summary == "created(epoch1) unrecovered 1 deleted created(epoch2)")
    }

    @Test func `a position that was found is not told of when the topic is made again`() throws {
        try loop.broker.createTopic(named: "t")
        try loop.publish(1...3)
        let receipt = try loop.wait(subscriber, since: .position(epoch: "epoch1", offset: 2))
        #expect(receipt.isRecovered == true && !receipt.isWaiting)
        try loop.deleteAndMake()
        try loop.publish(4)
        loop.runUntilIdle()
        #expect(subscriber.summary == "3 deleted created(epoch2) 4")
    }

    @Test(arguments: [ReplayStart.all, .age(1000), .time(0), .lastN(3)])
    func `any other start is the beginning`(start: ReplayStart) throws {
        try loop.wait(subscriber, since: start)
        try loop.broker.createTopic(named: "t")
        try loop.publish(1...5)
        loop.clock.advance(by: 5000)
        loop.runUntilIdle()
        #expect(subscriber.summary == "created(epoch1) 1 2 3 4 5")
    }

    @Test func `a position that is yet to come is refused, and nothing waits`() throws {
        try loop.broker.createTopic(named: "t")
        let error = #expect(throws: BrokerError.self) {
            try loop.wait(subscriber, since: .position(epoch: "epoch1", offset: 1))
        }
        #expect(error?.code == .positionInFuture)
        #expect(subscriber.subscriptions.isEmpty && loop.broker.awaitedCount == 0)
    }

    // MARK: Making topics

    @Test func `where a subscribe makes topics there is nothing to wait for`() throws {
        let receipt = try loop.wait(subscriber, makesTopic: true)
        #expect(!receipt.isWaiting && receipt.epoch == "epoch1" && receipt.offset == 0)
        try loop.broker.deleteTopic(named: "t")
        loop.runUntilIdle()
        // A topic that is gone is not made again by those who had it.
        #expect(subscriber.summary == "deleted" && loop.broker.topic(named: "t") == nil && loop.counters.waiting == 1)
        #expect(try loop.wait(subscriber, makesTopic: true).epoch == "epoch2")
        loop.runUntilIdle()
        #expect(subscriber.summary == "deleted")
    }

    @Test func `a subscribe that is refused makes no topic`() throws {
        try loop.wait(subscriber, for: "a", limit: 1)
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
