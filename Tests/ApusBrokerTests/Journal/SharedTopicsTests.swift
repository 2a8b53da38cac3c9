import ApusProtocol
import ApusTesting
import Testing

@testable import ApusBroker

/// A broker whose topics others make, change and delete, too: the journal is asked, and tells it.
@Suite struct SharedTopicsTests {
    private let journal = ManualJournal(durability: .replicated, decidesTopics: true)

    @Test func `a topic is there when the journal says so`() async throws {
        let loop = ManualLoop(journal: journal)
        journal.attach(loop.broker)
        let topic = try await loop.broker.create(named: "t")
        #expect(loop.broker.topic(named: "t") === topic)
        #expect(journal.proposed == ["t"])
        #expect(journal.changes.isEmpty, "the journal need not be told what it has decided")
        await #expect(throws: BrokerError.self) { try await loop.broker.create(named: "t") }
        var fields = TopicSettingsFields()
        fields.history = 7
        let (again, isNew) = try await loop.broker.put(named: "t", fields)
        #expect((again === topic, isNew) == (true, false))
        #expect(topic.settings.history == 7)
        try await loop.broker.delete(named: "t")
        #expect(loop.broker.topic(named: "t") == nil)
        await #expect(throws: BrokerError.self) { try await loop.broker.delete(named: "t") }
    }

    @Test func `nothing changes at once, or while the journal cannot decide`() async throws {
        let loop = ManualLoop(journal: journal)
        journal.attach(loop.broker)
        #expect(throws: BrokerError.topicPending) { try loop.broker.createTopic(named: "t") }
        journal.refusal = BrokerError(.notKept, "no majority")
        await #expect(throws: BrokerError.self) { try await loop.broker.create(named: "t") }
        #expect(loop.broker.topicCount == 0)
        #expect(throws: BrokerError.topicPending) { try loop.broker.deleteTopic(named: "t") }
    }

    @Test func `a topic, an epoch or an offset that is not known here may be known to others`() throws {
        let loop = ManualLoop(journal: journal)
        let broker = loop.broker
        #expect(broker.mayBeBehind("t") && !broker.mayBeBehind("t.*") && !broker.mayBeBehind(""))
        broker.adopt(.there(name: "t", epoch: "e", TopicSettings()), now: 0)
        #expect(!broker.mayBeBehind("t") && !broker.mayBeBehind("t", .lastN(5)))
        #expect(!broker.mayBeBehind("t", .position(epoch: "e", offset: 0)))
        #expect(broker.mayBeBehind("t", .position(epoch: "e", offset: 1)))
        #expect(broker.mayBeBehind("t", .position(epoch: "another", offset: 0)))
        #expect(!ManualLoop().broker.mayBeBehind("t"), "nobody else has topics of a server of its own")
    }

    @Test func `subscriptions hear of topics that others make and delete`() throws {
        let loop = ManualLoop(journal: journal)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, SubscribeRequest(topic: "t.*", clientID: "c"))
        loop.broker.adopt(.there(name: "t.1", epoch: "e1", TopicSettings()), now: 0)
        try loop.publish(1, to: "t.1")
        loop.runUntilIdle()
        journal.run()
        loop.runUntilIdle()
        #expect(subscriber.numbers == [1])
        loop.broker.adopt(.there(name: "t.1", epoch: "e2", TopicSettings()), now: 0)
        loop.runUntilIdle()
        #expect(loop.broker.topic(named: "t.1")?.epoch == "e2")
        #expect(loop.broker.topic(named: "t.1")?.publishedCount == 0)
        loop.broker.adopt(.gone(name: "t.1"), now: 0)
        loop.broker.adopt(.gone(name: "t.1"), now: 0)
        #expect(loop.broker.topicCount == 0)
    }

    @Test func `a purge that others ask for ends history here, too`() async throws {
        let loop = ManualLoop(journal: journal)
        journal.attach(loop.broker)
        let topic = try await loop.broker.create(named: "t")
        try loop.publish(1...3)
        loop.runUntilIdle()
        journal.run()
        loop.broker.adopt(.purged(name: "t", before: 3), now: loop.clock.now)
        #expect(topic.inspect(now: loop.clock.now).first == 3)
        #expect(try await loop.broker.purgeTopic(named: "t", now: loop.clock.now) == 1)
        #expect(topic.inspect(now: loop.clock.now).first == 4)
        #expect(loop.broker.purgedCount == 3)
    }
}
