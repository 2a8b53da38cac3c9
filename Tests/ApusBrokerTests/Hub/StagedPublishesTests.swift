import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// What happens to publishes that go into the log together when the topic takes only some of them, or none.
@Suite struct StagedPublishesTests {
    /// Publishes these numbers together, as a connection would.
    private func publish(
        _ numbers: ClosedRange<Int>,
        to name: String = "t",
        on loop: ManualLoop
    ) -> StagedPublishes.Result? {
        let name = Array(name.utf8)
        let texts = numbers.map { Array(ManualLoop.message($0).utf8) }
        let all = name + texts.joined()
        return all.withUnsafeBytes { bytes in
            let name = UnsafeRawBufferPointer(rebasing: bytes[..<name.count])
            var staged = StagedPublishes()
            var start = name.count
            for text in texts {
                let message = UnsafeRawBufferPointer(rebasing: bytes[start..<start + text.count])
                start += text.count
                #expect(staged.isEmpty || staged.isTo(name))
                staged.append(message, requestID: nil, message: message, topic: name)
            }
            return loop.hubs[0].publish(staged, time: Timestamp(loop.clock.moment), origin: 0)
        }
    }

    @Test func `all are published in order, and count one by one`() throws {
        let loop = ManualLoop(hubs: 2)
        try loop.broker.createTopic(named: "t")
        let readers = (0...1).map { RecordingSubscriber(on: loop.hubs[$0]) }
        for (index, reader) in readers.enumerated() { try loop.subscribe(reader, on: index) }
        let result = try #require(publish(1...40, on: loop))
        #expect(result.count == 40 && result.refusal == nil)
        loop.runUntilIdle()
        for reader in readers { #expect(reader.summary == (1...40).summary) }
        let report = loop.hubs[0].report()
        #expect(report.published == 40 && report.matched == 80)
    }

    @Test func `the first that must wait for another loop is held once, and those before it are published`() throws {
        let pace = LoopPace(deliveries: 20, bytes: 1 << 20, fewestMessages: 4)
        let loop = ManualLoop(hubs: 2, limits: .init(history: 10, loopPace: pace))
        try loop.broker.createTopic(named: "t")
        let reader = RecordingSubscriber(on: loop.hubs[1])
        try loop.subscribe(reader, on: 1)
        loop.runUntilIdle()
        let first = try #require(publish(1...30, on: loop))
        #expect(first.count == 20 && first.refusal == .held)
        #expect(loop.hubs[0].report().held == 1)
        loop.runUntilIdle()
        let rest = try #require(publish(21...30, on: loop))
        #expect(rest.count == 10 && rest.refusal == nil)
        loop.runUntilIdle()
        #expect(reader.summary == (1...30).summary)
    }

    @Test func `the first that must wait for a subscription is throttled, and those before it are published`() throws {
        let loop = ManualLoop()
        try loop.broker.createTopic(named: "t")
        let reader = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(reader, queue: 7, overflow: .throttle)
        let first = try #require(publish(1...30, on: loop))
        #expect(first.count == 7 && first.refusal == .throttled)
        loop.runUntilIdle()
        #expect(reader.summary == (1...7).summary)
    }

    @Test func `none is published to a topic that is gone, or for which a bare message is not enough`() throws {
        let loop = ManualLoop()
        #expect(publish(1...3, on: loop) == nil)
        try loop.broker.createTopic(named: "t")
        #expect(publish(1...3, on: loop)?.count == 3)
        try loop.broker.deleteTopic(named: "t")
        let gone = try #require(publish(1...3, on: loop))
        #expect(gone.count == 0 && gone.refusal == .deleted)
        // The hub has forgotten the deleted topic.
        #expect(publish(1...3, on: loop) == nil)
        _ = try loop.broker.putTopic(named: "u") { $0.dedupeWindow = 60_000 }
        let refused = try #require(publish(1...3, to: "u", on: loop))
        #expect(refused.count == 0 && refused.refusal == .needsPublication)
        #expect(loop.broker.topic(named: "u")?.publishedCount == 0)
    }

    @Test func `publishes to another topic are not staged with these`() {
        let names = Array("tt".utf8)
        names.withUnsafeBytes { bytes in
            let (one, both) = (UnsafeRawBufferPointer(rebasing: bytes[..<1]), bytes)
            var staged = StagedPublishes()
            #expect(!staged.isTo(both))
            staged.append(one, requestID: nil, message: one, topic: one)
            #expect(staged.isTo(UnsafeRawBufferPointer(rebasing: bytes[1...])) && !staged.isTo(both))
            staged.removeAll()
            #expect(!staged.isTo(both))
        }
    }
}
