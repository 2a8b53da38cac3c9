import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

@Suite struct MemoryBrokerTests {
    private func code(_ body: () throws -> Void) -> BrokerError.Code? {
        do {
            try body()
            return nil
        } catch {
            return (error as? BrokerError)?.code
        }
    }

    @Test(arguments: [
        ("orders", true), ("a/b", true), (" ", true), ("é", true), ("😀", true), ("a.b", true), ("\u{A0}", true),
        ("\"\\", true), ("", false), ("*", false), (">", false), ("a*b", false), ("a.>", false), ("a\nb", false),
        ("\u{0}", false), ("\u{7F}", false), ("\u{85}", false), ("\t", false),
        (String(repeating: "a", count: 255), true), (String(repeating: "a", count: 256), false),
        (String(repeating: "é", count: 127), true), (String(repeating: "é", count: 128), false),
    ])
    func `a name is 1 to 255 bytes without control characters, star or greater-than`(name: String, isAllowed: Bool) {
        #expect(TopicName.isAllowed(name) == isAllowed)
        #expect(code { try MemoryBroker().createTopic(named: name) } == (isAllowed ? nil : .nameNotAllowed))
    }

    @Test func `a topic that is not there may be made, or can never be`() {
        #expect(BrokerError.noTopic(named: "t") == BrokerError(.topicNotFound, "Topic 't' not found"))
        #expect(BrokerError.noTopic(named: "a.*") == BrokerError(.nameNotAllowed, "'a.*' is a pattern, not a topic"))
        #expect(BrokerError.noTopic(named: ">", toPublish: true).message.contains("cannot publish to a pattern"))
        for name in ["a\n", "\u{7F}", String(repeating: "a", count: 256), String(repeating: "*", count: 1 << 20)] {
            let error = BrokerError.noTopic(named: name, toPublish: true)
            #expect(error.code == .nameNotAllowed && error.message.hasPrefix("A topic name is 1 to 255 bytes"))
        }
    }

    @Test func `a topic is there from its creation to its deletion`() throws {
        let broker = MemoryBroker()
        #expect(broker.topic(named: "t") == nil)
        let topic = try broker.createTopic(named: "t")
        #expect(broker.topic(named: "t") === topic && broker.topics.count == 1)
        #expect(code { try broker.createTopic(named: "t") } == .topicExists)
        try broker.deleteTopic(named: "t")
        #expect(broker.topic(named: "t") == nil && broker.topics.isEmpty)
        #expect(code { try broker.deleteTopic(named: "t") } == .topicNotFound)
        #expect(try broker.createTopic(named: "t") !== topic)
    }

    @Test func `names that look the same but are other bytes are other topics`() throws {
        let broker = MemoryBroker()
        let composed = try broker.createTopic(named: "caf\u{E9}")
        let decomposed = try broker.createTopic(named: "cafe\u{301}")
        #expect(broker.topic(named: "caf\u{E9}") === composed)
        #expect(broker.topic(named: "cafe\u{301}") === decomposed)
        try broker.deleteTopic(named: "caf\u{E9}")
        #expect(broker.topic(named: "cafe\u{301}") === decomposed)
    }

    @Test func `no more topics are made than the limit, and a deleted one makes room`() throws {
        let broker = MemoryBroker(limits: MemoryBroker.Limits(topics: 2))
        try broker.createTopic(named: "a")
        try broker.createTopic(named: "b")
        #expect(code { try broker.createTopic(named: "c") } == .tooManyTopics)
        #expect(code { try broker.createTopic(named: "a") } == .topicExists)
        try broker.deleteTopic(named: "a")
        #expect(code { try broker.createTopic(named: "c") } == nil)
    }

    @Test func `errors name the topic`() {
        #expect(throws: BrokerError(.topicNotFound, "Topic 'x' not found")) {
            try MemoryBroker().deleteTopic(named: "x")
        }
        let broker = MemoryBroker()
        #expect(throws: BrokerError(.topicExists, "Topic 'x' already exists")) {
            try broker.createTopic(named: "x")
            try broker.createTopic(named: "x")
        }
    }

    @Test func `what was published is counted since the topic was made`() throws {
        let loop = ManualLoop(limits: MemoryBroker.Limits(history: 2))
        let topic = try loop.broker.createTopic(named: "t")
        try loop.publish(1...3000)
        #expect(topic.publishedCount == 3000)
        try loop.broker.deleteTopic(named: "t")
        #expect(topic.publishedCount == 3000)
        #expect(try loop.broker.createTopic(named: "t").publishedCount == 0)
    }

    @Test func `a hub forgets a deleted topic and finds the one made after it`() throws {
        let loop = ManualLoop(hubs: 2)
        let old = try loop.broker.createTopic(named: "t")
        for hub in 0...1 { #expect(try loop.publish(1, on: hub) == .published(Offset(hub + 1))) }
        try loop.broker.deleteTopic(named: "t")
        // The hub may still know the old one: then the publish itself finds out.
        for hub in 0...1 { #expect(loop.publish("{}", to: old, on: hub) == .deleted) }
        #expect(throws: BrokerError.self) { try loop.publish(2) }
        try loop.broker.createTopic(named: "t")
        for hub in 0...1 { #expect(try loop.publish(2, on: hub) == .published(Offset(hub + 1))) }
    }
}
