import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// History for those who fetch it.
@Suite struct TopicPageTests {
    private func loop(history: Int = 100, published: ClosedRange<Int>? = nil) throws -> (ManualLoop, Topic) {
        let loop = ManualLoop(limits: MemoryBroker.Limits(history: history))
        let topic = try loop.broker.createTopic(named: "t")
        if let published { try loop.publish(published) }
        return (loop, topic)
    }

    private func page(_ topic: Topic, _ start: ReplayStart, limit: Int = 100, _ loop: ManualLoop) throws -> TopicPage {
        try #require(try topic.page(from: start, limit: limit, now: loop.clock.now))
    }

    @Test func `a page has messages, offsets, keys and times`() throws {
        let (loop, topic) = try loop()
        try loop.publishBatch([BatchItem(1), BatchItem(2, key: "k")])
        let page = try page(topic, .all, loop)
        #expect(page.first == 1 && page.last == 2 && page.next == 2 && page.isRecovered == nil)
        #expect(page.entries.map(\.offset) == [1, 2])
        #expect(page.entries.map { String(decoding: $0.message, as: UTF8.self) } == [1, 2].map(ManualLoop.message))
        #expect(page.entries.map { $0.key.map { String(decoding: $0, as: UTF8.self) } } == [nil, "\"k\""])
        #expect(page.entries.allSatisfy { String(decoding: $0.time, as: UTF8.self) == "2025-08-25T10:00:00.123Z" })
    }

    @Test func `an empty topic's page is empty, and says where to go on`() throws {
        let (loop, topic) = try loop()
        let page = try page(topic, .all, loop)
        #expect(page.first == 1 && page.last == 0 && page.next == 0 && page.entries.isEmpty)
        try loop.publish(1)
        let next = try self.page(topic, .position(epoch: topic.epoch, offset: page.next), loop)
        #expect(next.entries.map(\.offset) == [1] && next.isRecovered == true)
    }

    @Test(arguments: [1, 2, 3, 7, 49, 50, 51])
    func `page after page brings everything once`(limit: Int) throws {
        let (loop, topic) = try loop()
        for number in 1...50 {
            try loop.publish(number)
            // In batches of all sizes.
            if number % 6 == 0 { _ = topic.inspect(now: 0) }
        }
        var offsets: [Offset] = []
        var after: Offset = 0
        while after < 50 {
            let page = try page(topic, .position(epoch: topic.epoch, offset: after), limit: limit, loop)
            #expect(page.entries.count <= limit && page.next > after && page.isRecovered == true)
            offsets += page.entries.map(\.offset)
            after = page.next
        }
        #expect(offsets == Array(1...50))
    }

    @Test func `what is no longer kept is named, and what is kept follows`() throws {
        let (loop, topic) = try loop(history: 10, published: 1...30)
        let page = try page(topic, .position(epoch: topic.epoch, offset: 4), limit: 3, loop)
        #expect(page.isRecovered == false && page.missed == 5...20 && page.first == 21 && page.last == 30)
        #expect(page.entries.map(\.offset) == [21, 22, 23] && page.next == 23)
        let other = try self.page(topic, .position(epoch: "other", offset: 25), loop)
        #expect(other.isRecovered == false && other.missed == nil && other.entries.count == 10)
    }

    @Test func `a position from the future is refused, the last one is not`() throws {
        let (loop, topic) = try loop(published: 1...3)
        #expect(throws: BrokerError.self) { try self.page(topic, .position(epoch: topic.epoch, offset: 4), loop) }
        let page = try self.page(topic, .position(epoch: topic.epoch, offset: 3), loop)
        #expect(page.entries.isEmpty && page.next == 3 && page.isRecovered == true)
    }

    @Test func `what has expired is passed by, and counts as looked at`() throws {
        let (loop, topic) = try loop()
        try loop.publishBatch((1...6).map { BatchItem($0, ttl: $0 % 2 == 0 ? 10 : nil) })
        loop.clock.advance(by: 10)
        let page = try page(topic, .all, limit: 2, loop)
        #expect(page.entries.map(\.offset) == [1, 3] && page.next == 3)
        let rest = try self.page(topic, .position(epoch: topic.epoch, offset: page.next), loop)
        #expect(rest.entries.map(\.offset) == [5] && rest.next == 6)
    }

    @Test func `a page of large messages ends at 4 MiB, but has one at least`() throws {
        let (loop, topic) = try loop()
        let padding = String(repeating: "x", count: 1 << 20)
        for number in 0..<6 { try loop.publish("{\"n\":\(number),\"x\":\"\(padding)\"}") }
        #expect(try page(topic, .all, loop).entries.count == 3)
        try loop.publish("{\"x\":\"\(String(repeating: "x", count: 5 << 20))\"}")
        let page = try page(topic, .position(epoch: topic.epoch, offset: 6), loop)
        #expect(page.entries.count == 1 && page.next == 7)
    }

    @Test func `a deleted topic has no page`() throws {
        let (loop, topic) = try loop(published: 1...3)
        try loop.broker.deleteTopic(named: "t")
        #expect(try topic.page(from: .all, limit: 10, now: loop.clock.now) == nil)
    }
}
