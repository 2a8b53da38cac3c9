import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// A loop that is behind slows the publishers of what it reads, and its subscribers lose nothing by it.
@Suite struct LoopPaceTests {
    private static let pace = LoopPace(deliveries: 20, bytes: 1 << 20, fewestMessages: 4)

    private func loop(hubs: Int = 2, pace: LoopPace = Self.pace) throws -> ManualLoop {
        let loop = ManualLoop(hubs: hubs, limits: .init(history: 10, loopPace: pace))
        try loop.broker.createTopic(named: "t")
        return loop
    }

    @Test(arguments: [(1, 20), (2, 10), (5, 4), (10, 4)])
    func `a publisher waits when another loop is behind by so many deliveries`(subscribers: Int, messages: Int) throws {
        let loop = try loop()
        for _ in 0..<subscribers { try loop.subscribe(RecordingSubscriber(on: loop.hubs[1]), on: 1) }
        loop.runUntilIdle()
        for number in 1...messages {
            #expect(try loop.publish(number) == .published(Offset(number), subscribers: subscribers))
        }
        #expect(try loop.publish(0) == .held)
        #expect(loop.hubs[0].report().held == 1)
        loop.run(0)
        loop.run(1)
        #expect(try loop.publish(0) == .published(Offset(messages + 1), subscribers: subscribers))
    }

    @Test func `a publisher waits when another loop is behind by so many bytes`() throws {
        let loop = try loop(pace: LoopPace(deliveries: 1000, bytes: 100))
        try loop.subscribe(RecordingSubscriber(on: loop.hubs[1]), on: 1)
        loop.runUntilIdle()
        let text = #"{"n":"\#(String(repeating: "x", count: 60))"}"#
        for offset in 1...2 { #expect(try loop.publish(text) == .published(Offset(offset), subscribers: 1)) }
        #expect(try loop.publish(text) == .held)
    }

    @Test func `a publisher does not wait for its own loop, which looks before it reads more`() throws {
        let loop = try loop()
        try loop.subscribe(RecordingSubscriber(on: loop.hubs[0]))
        for number in 1...1000 { #expect(try loop.publish(number) == .published(Offset(number), subscribers: 1)) }
    }

    @Test func `who waits goes on as the other loop looks, in order, and every reader gets all`() throws {
        let loop = try loop(hubs: 3)
        let readers = (0..<30).map { RecordingSubscriber(on: loop.hubs[$0 % 3]) }
        var topic: Topic?
        for (index, reader) in readers.enumerated() {
            topic = try loop.subscribe(reader, queue: 5, overflow: .disconnect, on: index % 3)
        }
        loop.runUntilIdle()
        let publisher = RetryingPublisher(loop, topic: try #require(topic), from: 1, through: 500)
        publisher.start()
        // The publisher's loop has a hundred turns for each of the others'.
        for _ in 0..<1000 where !publisher.isDone {
            for _ in 0..<100 { loop.run(0) }
            loop.run(1)
            loop.run(2)
        }
        loop.runUntilIdle()
        #expect(publisher.isDone && publisher.outcomes.contains(.held))
        for reader in readers { #expect(reader.summary == (1...500).summary) }
    }

    @Test func `nobody waits for a loop that is stuck for longer than the timeout`() throws {
        let loop = try loop()
        let topic = try loop.subscribe(RecordingSubscriber(on: loop.hubs[1]), on: 1)
        loop.runUntilIdle()
        let publisher = RetryingPublisher(loop, topic: topic, from: 1, through: 200)
        publisher.start()
        loop.hubs[0].passOverStuckLoops(timeout: 60_000)
        loop.run(0)
        #expect(!publisher.isDone)
        loop.hubs[0].passOverStuckLoops(timeout: 0)
        loop.run(0)
        #expect(publisher.isDone)
        // It looks again, and is waited for again.
        loop.runUntilIdle()
        for number in 1...20 { try loop.publish(number) }
        #expect(try loop.publish(0) == .held)
    }

    @Test func `a publisher that waits is told when the topic is deleted, or the last reader leaves`() throws {
        for deletes in [true, false] {
            let loop = try loop()
            let reader = RecordingSubscriber(on: loop.hubs[1])
            let topic = try loop.subscribe(reader, on: 1)
            loop.runUntilIdle()
            let publisher = RetryingPublisher(loop, topic: topic, from: 1, through: 30)
            publisher.start()
            #expect(publisher.outcomes.last == .held && loop.hubs[0].report().heldPublishers == 1)
            if deletes { try loop.broker.deleteTopic(named: "t") } else { reader.disconnect() }
            loop.run(0)
            #expect(publisher.outcomes.last == (deletes ? .deleted : .published(30, subscribers: 0)))
            #expect(loop.hubs[0].report().heldPublishers == 0)
        }
    }

    /// A loop with a reader whose socket takes a part of what is published in one turn: 50 messages, each a batch.
    private func offeredAtOnce(policy: OverflowPolicy) throws -> (ManualLoop, RecordingSubscriber) {
        let loop = try loop(hubs: 1)
        let reader = RecordingSubscriber(on: loop.hubs[0], waterMark: .init(frames: 1), room: 3)
        try loop.subscribe(reader, queue: 5, overflow: policy)
        loop.runUntilIdle()
        let padding = String(repeating: "x", count: 70_000)
        for number in 1...50 { try loop.publish(#"{"n":\#(number),"padding":"\#(padding)"}"#) }
        loop.runUntilIdle()
        #expect((1..<10).contains(reader.records.count))
        return (loop, reader)
    }

    @Test(arguments: [OverflowPolicy.dropOldest, .dropNewest, .disconnect])
    func `what was offered at once is not held against a socket that goes on to take it`(policy: OverflowPolicy) throws
    {
        let (loop, reader) = try offeredAtOnce(policy: policy)
        for _ in 0..<50 {
            loop.hubs[0].endBursts()
            reader.take(1)
            loop.runUntilIdle()
        }
        #expect(reader.messages.count == 50 && reader.records.count == 50)
    }

    @Test(arguments: [OverflowPolicy.dropOldest, .dropNewest])
    func `what was offered at once is held against a socket that takes no more of it`(policy: OverflowPolicy) throws {
        let (loop, _) = try offeredAtOnce(policy: policy)
        for _ in 0..<2 {
            #expect(loop.hubs[0].report().pending > 5)
            loop.hubs[0].endBursts()
        }
        loop.runUntilIdle()
        #expect(loop.hubs[0].report().pending == 5)
        #expect(loop.counters.books.owed == loop.counters.books.accounted)
    }

    @Test func `a slow reader is held to its queue, whatever it was offered at once`() throws {
        let (loop, reader) = try offeredAtOnce(policy: .disconnect)
        try loop.publish(51...56)
        loop.runUntilIdle()
        #expect(reader.records.last == .slowConsumer(topic: "t"))
    }
}
