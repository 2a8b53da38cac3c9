import ApusProtocol
import Testing

@testable import ApusBroker

@Suite struct TopicCacheTests {
    private func topics(_ count: Int) throws -> [Topic] {
        let broker = MemoryBroker()
        return try (0..<count).map { number in
            _ = try broker.putTopic(named: "topic-\(number)") { _ in }
            return try #require(broker.topic(named: "topic-\(number)"))
        }
    }

    private func find(_ name: String, in cache: inout TopicCache) -> Topic? {
        var name = name
        return name.withUTF8 { cache.find(UnsafeRawBufferPointer($0)) }
    }

    @Test(arguments: [1, 200, 5000])
    func `every topic that fits is found again, and no other`(count: Int) throws {
        let topics = try topics(count)
        var cache = TopicCache()
        for topic in topics { cache.remember(topic) }
        for topic in topics { #expect(find(topic.name, in: &cache) === topic) }
        #expect(find("topic-\(count)", in: &cache) == nil)
        #expect(find("", in: &cache) == nil)
    }

    @Test func `a topic that is forgotten is not found, and its neighbours are`() throws {
        let topics = try topics(3000)
        var cache = TopicCache()
        for topic in topics { cache.remember(topic) }
        for topic in topics where topic.name.hasSuffix("7") { cache.forget(topic) }
        for topic in topics {
            #expect((find(topic.name, in: &cache) === topic) == !topic.name.hasSuffix("7"))
        }
    }

    @Test func `topics that live shortly do not fill it`() throws {
        let broker = MemoryBroker()
        var cache = TopicCache()
        let staying = try topics(100)
        for topic in staying { cache.remember(topic) }
        var known: [() -> Bool] = []
        for number in 0..<20_000 {
            let topic = try broker.createTopic(named: "short-\(number)")
            cache.remember(topic)
            try broker.deleteTopic(named: topic.name)
            known.append { [weak topic] in topic != nil }
        }
        // At most as many as there are places, which grow only where four neighbors stay.
        #expect(known.count(where: { $0() }) <= 8192)
        for topic in staying { #expect(find(topic.name, in: &cache) === topic) }
    }

    @Test func `another topic of a forgotten one's name is found under it`() throws {
        let (old, new) = (try topics(1)[0], try topics(1)[0])
        var cache = TopicCache()
        cache.remember(old)
        cache.forget(old)
        cache.remember(new)
        #expect(find("topic-0", in: &cache) === new)
    }
}
