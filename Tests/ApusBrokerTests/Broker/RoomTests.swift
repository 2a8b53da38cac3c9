import ApusProtocol
import ApusTesting
import Testing

@testable import ApusBroker

/// Memory that was reserved for what is gone.
@Suite struct RoomTests {
    @Test func `collections give back room for many more than they have, and keep what they have`() {
        var numbers = Array(0..<10_000)
        var places = Dictionary(uniqueKeysWithValues: numbers.map { ($0, -$0) })
        numbers.removeLast(9900)
        places = places.filter { $0.key < 100 }
        places.reserveCapacity(10_000)
        numbers.releaseRoom()
        places.releaseRoom()
        #expect(numbers == Array(0..<100) && numbers.capacity < 200)
        #expect(places.count == 100 && places.capacity < 400 && (0..<100).allSatisfy { places[$0] == -$0 })
        let capacity = numbers.capacity
        numbers.releaseRoom()
        #expect(numbers.capacity == capacity)
    }

    @Test func `tries are the same after their nodes have moved together`() throws {
        var names = NameTrie<Int>()
        var filters = FilterTrie<Int>()
        var handles: [FilterTrie<Int>.Handle] = []
        for number in 0..<1000 {
            names.insert("a.\(number).b", number)
            let filter = try #require(TopicFilter("a.\(number).\(number % 2 == 0 ? "*" : ">")"))
            handles.append(filters.insert(filter, number))
        }
        for number in 0..<1000 where number % 50 != 7 {
            names.remove("a.\(number).b")
            filters.remove(handles[number])
        }
        names.releaseRoom()
        filters.releaseRoom()
        let left = Array(stride(from: 7, to: 1000, by: 50))
        #expect(names.matches(of: try #require(TopicFilter("a.*.b"))) == left)
        #expect(names.nodeCount == 41 && filters.nodeCount == 41)
        for number in left { #expect(filters.matches(of: "a.\(number).x") == [number]) }
        #expect(names.insert("a.7.c", 1) == nil && names.remove("a.57.b") == 57)
        for number in left { #expect(filters.remove(handles[number]) == number) }
        #expect(filters.nodeCount == 0 && filters.count == 0)
    }

    @Test func `ids are known after their window has given room back`() {
        var window = DedupeWindow(window: 1000, limit: 100_000)
        for number in 0..<5000 {
            window.insert(ExactText("\(number)"), at: Offset(number), now: number < 4900 ? 0 : 900)
        }
        window.forget(before: 1500)
        window.releaseRoom()
        #expect(window.offset(of: ExactText("4800"), now: 1500) == nil)
        #expect((4900..<5000).allSatisfy { window.offset(of: ExactText("\($0)"), now: 1500) == Offset($0) })
        #expect(window.offset(of: ExactText("4900"), now: 1901) == nil)
    }

    @Test func `a cache lets go of topics that are gone, and finds the others`() throws {
        let broker = MemoryBroker()
        var cache = TopicCache()
        for number in 0..<3000 { cache.remember(try broker.createTopic(named: "topic-\(number)")) }
        weak let gone = broker.topic(named: "topic-2999")
        for number in 0..<3000 where number % 100 != 3 { try broker.deleteTopic(named: "topic-\(number)") }
        #expect(gone != nil)
        cache.releaseMemory()
        #expect(gone == nil)
        for number in stride(from: 3, to: 3000, by: 100) {
            var name = "topic-\(number)"
            let found = name.withUTF8 { cache.find(UnsafeRawBufferPointer($0)) }
            #expect(found != nil && found === broker.topic(named: name))
        }
    }

    @Test func `topics and patterns that come after the release are like those before`() throws {
        let loop = ManualLoop(hubs: 2)
        let subscriber = RecordingSubscriber(on: loop.hubs[1])
        try loop.subscribe(subscriber, SubscribeRequest(topic: "a.*", clientID: "c"), matches: 1000, on: 1)
        for number in 0..<500 { try loop.broker.createTopic(named: "a.\(number)") }
        loop.runUntilIdle()
        for number in 0..<500 where number != 123 { try loop.broker.deleteTopic(named: "a.\(number)") }
        loop.runUntilIdle()
        subscriber.takeRecords()
        loop.broker.releaseMemory()
        for hub in loop.hubs { hub.releaseMemory() }
        for name in ["a.123", "a.7", "a.new"] {
            if name != "a.123" { try loop.broker.createTopic(named: name) }
            try loop.publish(1, to: name)
        }
        loop.runUntilIdle()
        #expect(subscriber.messages.count == 3 && loop.broker.topics.count == 3)
        #expect(loop.counters.books.owed == loop.counters.books.accounted)
    }
}
