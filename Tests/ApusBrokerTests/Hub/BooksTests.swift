import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// What hubs count and list, where operators look.
@Suite struct BooksTests {
    @Test func `each fate of a message is in the books`() throws {
        let loop = ManualLoop(hubs: 2, limits: MemoryBroker.Limits(history: 10))
        try loop.broker.createTopic(named: "t")
        let policies: [OverflowPolicy] = [.dropOldest, .dropNewest, .latest, .disconnect]
        let subscribers = policies.indices.map { RecordingSubscriber(on: loop.hubs[$0 % 2], origin: UInt32($0 + 1)) }
        for (index, policy) in policies.enumerated() {
            try loop.follow(subscribers[index], queue: 3, overflow: policy, echo: index != 0, on: index % 2)
            subscribers[index].block()
        }
        let reader = RecordingSubscriber(on: loop.hubs[0], origin: 9)
        try loop.follow(reader)
        for number in 1...20 {
            try loop.publishBatch([BatchItem(number, key: "k\(number % 2)", ttl: number > 18 ? 50 : nil)], origin: 1)
            loop.runUntilIdle()
            let books = loop.counters.books
            #expect(books.owed == books.accounted)
        }
        loop.clock.advance(by: 50)
        for subscriber in subscribers { subscriber.unblock() }
        loop.runUntilIdle()
        try loop.follow(reader, since: .all)
        loop.runUntilIdle()
        let counters = loop.counters
        #expect(counters.published == 20 && counters.replayed == 10 && counters.pending == 0)
        #expect(counters.droppedOldest > 0 && counters.droppedNewest > 0 && counters.droppedEnded > 0)
        #expect(counters.conflated > 0 && counters.expired > 0 && counters.selfPublished > 0)
        #expect(counters.books.owed == counters.books.accounted)
        #expect(counters.delivered == UInt64((subscribers + [reader]).reduce(0) { $0 + $1.messages.count }))
    }

    @Test func `what is pending is told while it is, with the largest lag`() throws {
        let loop = ManualLoop()
        try loop.broker.createTopic(named: "t")
        let subscribers = (0..<2).map { _ in RecordingSubscriber(on: loop.hubs[0]) }
        try loop.subscribe(subscribers[0])
        subscribers[0].block()
        try loop.publish(1...3)
        try loop.subscribe(subscribers[1])
        subscribers[1].block()
        try loop.publish(4...5)
        let counters = loop.counters
        #expect(counters.pending == 7 && counters.largestLag == 5 && counters.subscriptions == 2)
    }

    @Test func `publishers that wait are counted`() throws {
        let loop = ManualLoop()
        let topic = try loop.broker.createTopic(named: "t")
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, queue: 1, overflow: .throttle)
        subscriber.block()
        for first in [1, 10] { RetryingPublisher(loop, topic: topic, from: first, through: first + 2).start() }
        #expect(loop.counters.throttledPublishers == 2)
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(loop.counters.throttledPublishers == 0)
    }

    @Test func `a subscription's report says how far behind it is, in messages, bytes and time`() throws {
        let loop = ManualLoop()
        let topic = try loop.broker.createTopic(named: "t")
        let subscriber = RecordingSubscriber(on: loop.hubs[0], origin: 5)
        try loop.follow(subscriber, as: "me", queue: 7, overflow: .dropOldest)
        let start = loop.clock.now
        try loop.publish(1...2)
        loop.runUntilIdle()
        subscriber.block()
        for number in 3...6 {
            loop.clock.advance(by: 100)
            try loop.publish(number)
        }
        loop.clock.advance(by: 50)
        loop.runUntilIdle()
        let report = try #require(loop.hubs[0].subscriptionReports(of: topic).first)
        let frame = topic.template.frameSize(message: ManualLoop.message(3).utf8.count)
        #expect(report.lag.messages == 4 && report.lag.bytes == 4 * frame && report.lag.milliseconds == 350)
        #expect(report.clientID == "me" && report.queue == 7 && report.overflow == .dropOldest)
        #expect(report.delivered == 2 && report.dropped == 0 && report.since == start && report.end == nil)
        #expect(report.peer.connection == 5 && report.pattern == nil)
    }

    @Test func `drops are in the report, and the lag is without what was held back`() throws {
        for policy in [OverflowPolicy.dropOldest, .dropNewest] {
            let loop = ManualLoop()
            let topic = try loop.broker.createTopic(named: "t")
            let subscriber = RecordingSubscriber(on: loop.hubs[0])
            try loop.follow(subscriber, queue: 3, overflow: policy)
            subscriber.block()
            try loop.publish(1...10)
            loop.runUntilIdle()
            #expect(loop.hubs[0].subscriptionReports(of: topic).first?.lag.messages == 3, "\(policy)")
            subscriber.unblock()
            loop.runUntilIdle()
            #expect(loop.hubs[0].subscriptionReports(of: topic).first?.dropped == 7, "\(policy)")
        }
    }

    @Test func `those that are gone are listed with the reason, the last hundred of them`() throws {
        let loop = ManualLoop()
        try loop.broker.createTopic(named: "t")
        try loop.broker.createTopic(named: "u")
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, as: "a")
        try loop.unsubscribe(subscriber, as: "a")
        try loop.subscribe(subscriber, to: "u", as: "b")
        try loop.broker.deleteTopic(named: "u")
        loop.runUntilIdle()
        let slow = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(slow, as: "c", queue: 1, overflow: .disconnect)
        slow.block()
        try loop.subscribe(subscriber, as: "d")
        try loop.publish(1...2)
        loop.runUntilIdle()
        subscriber.disconnect()
        let gone = loop.hubs[0].goneReports()
        #expect(gone.map(\.clientID) == ["a", "b", "c", "d"])
        #expect(gone.map { $0.end?.reason } == [.unsubscribed, .topicDeleted, .slowConsumer, .disconnected])
        #expect(gone.last?.delivered == 2 && gone.allSatisfy { $0.end?.time == loop.clock.now })
        for number in 0..<200 {
            let other = RecordingSubscriber(on: loop.hubs[0])
            try loop.subscribe(other, as: "\(number)")
            other.disconnect()
        }
        #expect(loop.hubs[0].goneReports().map(\.clientID) == (100..<200).map(String.init))
    }
}
