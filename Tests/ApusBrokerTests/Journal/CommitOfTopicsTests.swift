import ApusProtocol
import ApusTesting
import Testing

@testable import ApusBroker

/// What becomes of commits when their topic is deleted, or is to be kept from now on.
@Suite struct CommitOfTopicsTests: Journaled {
    let journal = ManualJournal()

    @Test func `a deleted topic delivers first what was taken`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber)
        try loop.publish(1)
        loop.runUntilIdle()
        journal.take()
        try loop.broker.deleteTopic(named: "t")
        #expect(throws: BrokerError.self) { try loop.publish(2) }
        loop.runUntilIdle()
        #expect(subscriber.records.isEmpty)
        journal.settle()
        loop.runUntilIdle()
        #expect(subscriber.numbers == [1])
        #expect(subscriber.records.last == .deleted(topic: "t"))
    }

    @Test func `a deleted topic ends after what was taken for a reader that is looking at it meanwhile, too`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber)
        try loop.publish(1)
        loop.runUntilIdle()
        journal.take()
        try loop.publish(2)
        loop.runUntilIdle()
        // The reader is told of the first one, and looks when the second is with the journal.
        journal.settle()
        journal.take()
        try loop.broker.deleteTopic(named: "t")
        loop.runUntilIdle()
        #expect(subscriber.records.last != .deleted(topic: "t"))
        journal.settle()
        loop.runUntilIdle()
        #expect(subscriber.numbers == [1, 2])
        #expect(subscriber.records.last == .deleted(topic: "t"))
    }

    @Test func `a topic that keeps messages from now on takes along what it has`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let topic = try loop.subscribe(subscriber)
        _ = try loop.broker.putTopic(named: "t") { $0.durability = .memory }
        commit(loop)
        try loop.publish(1...3)
        loop.runUntilIdle()
        #expect(subscriber.numbers == [1, 2, 3])
        #expect(journal.kept(topic).isEmpty)
        _ = try loop.broker.putTopic(named: "t") { $0.durability = .os }
        try loop.publish(4)
        commit(loop)
        #expect(subscriber.numbers == [1, 2, 3, 4])
        #expect(journal.kept(topic).reduce(0) { $0 + $1.count } == 4)
        try loop.publish(5)
        loop.runUntilIdle()
        _ = try loop.broker.putTopic(named: "t") { $0.durability = .memory }
        try loop.publish(6)
        commit(loop)
        #expect(subscriber.numbers == [1, 2, 3, 4, 5, 6])
        #expect(try loop.publish(7) == .published(7, subscribers: 1))
    }

    @Test func `what has expired in memory is not kept later`() throws {
        let loop = try loop()
        _ = try loop.broker.putTopic(named: "t") { $0.durability = .memory }
        commit(loop)
        for number in 1...3 { try loop.publish(number, ttl: 10) }
        loop.broker.trim(now: loop.clock.now, limit: 10)
        loop.clock.advance(by: .seconds(1))
        loop.broker.trim(now: loop.clock.now, limit: 10)
        try loop.publish(4)
        _ = try loop.broker.putTopic(named: "t") { $0.durability = .disk }
        commit(loop)
        let topic = try #require(loop.broker.topic(named: "t"))
        #expect(topic.publishedCount == 4)
        let records = journal.kept(topic)
        #expect(records.map(\.first) == [4])
        let template = EventTemplate(topic: "t", epoch: topic.epoch)
        #expect(records.allSatisfy { $0.batch(template: template, lead: 0) != nil })
    }

    @Test func `changes of topics are told to the journal in their order`() throws {
        let loop = try loop()
        _ = try loop.broker.putTopic(named: "t") { $0.history = 5 }
        try loop.broker.deleteTopic(named: "t")
        try loop.broker.createTopic(named: "t")
        let told = journal.changes.map { change in
            switch change {
            case .created(let topic): "created \(topic.number)"
            case .changed(let topic, let settings): "changed \(topic.number) \(settings.history ?? 0)"
            case .deleted(let topic): "deleted \(topic.number)"
            case .purged(let topic, let end): "purged \(topic.number) \(end)"
            }
        }
        #expect(told == ["created 1", "changed 1 5", "deleted 1", "created 2"])
    }
}
