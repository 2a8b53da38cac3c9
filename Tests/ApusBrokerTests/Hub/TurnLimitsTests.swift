import ApusProtocol
import ApusTesting
import Testing

@testable import ApusBroker

/// What is too much for one turn goes on in the next, so that a loop looks at its sockets in between.
@Suite struct TurnLimitsTests {
    /// A delivery of one small message counts as at most so much.
    private static let delivery = TurnLimits.deliveryCost + 200

    private func loop(
        hubs: Int = 1,
        deliveries: Int = 1000,
        notices: Int = 1000,
        claims: Int = 1000,
        endings: Int = 1000,
        pace: LoopPace? = nil
    ) throws -> ManualLoop {
        let loop = ManualLoop(
            hubs: hubs,
            limits: .init(history: 100, loopPace: pace),
            // One more begins as long as anything is left.
            turns: TurnLimits(
                bytes: (deliveries - 1) * Self.delivery + 1,
                notices: notices,
                claims: claims,
                endings: endings
            )
        )
        try loop.broker.createTopic(named: "t")
        return loop
    }

    private func readers(_ count: Int, of loop: ManualLoop, on hub: Int = 0) throws -> [RecordingSubscriber] {
        let readers = (0..<count).map { _ in RecordingSubscriber(on: loop.hubs[hub]) }
        for reader in readers { try loop.subscribe(reader, on: hub) }
        loop.runUntilIdle()
        return readers
    }

    // MARK: Events

    @Test func `a turn serves so many subscriptions, and the next ones the others`() throws {
        let loop = try loop(deliveries: 3)
        let readers = try readers(8, of: loop)
        try loop.publish(1)
        var served: [Int] = []
        while loop.runNext() { served.append(readers.count { !$0.records.isEmpty }) }
        #expect(served.starts(with: [3, 6, 8]))
        #expect(readers.allSatisfy { $0.summary == "1" && $0.isFlushed })
    }

    @Test func `what was published meanwhile follows, in order`() throws {
        let loop = try loop(deliveries: 3)
        let readers = try readers(8, of: loop)
        for number in 1...20 {
            try loop.publish(number)
            loop.runNext()
        }
        loop.runUntilIdle()
        #expect(readers.allSatisfy { $0.summary == (1...20).summary })
    }

    @Test func `a small topic does not wait for all of a large one`() throws {
        let loop = try loop(deliveries: 3)
        try loop.broker.createTopic(named: "small")
        let many = try readers(30, of: loop)
        let bystander = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(bystander, to: "small")
        loop.runUntilIdle()
        try loop.publish(1)
        loop.runNext()
        try loop.publish(2, to: "small")
        loop.runNext()
        #expect(bystander.summary == "2" && many.count { !$0.records.isEmpty } < 10)
        loop.runUntilIdle()
        #expect(many.allSatisfy { $0.summary == "1" })
    }

    @Test func `subscriptions may end and begin while a drain goes on`() throws {
        for leaving in 0..<8 {
            let loop = try loop(deliveries: 3)
            let readers = try readers(8, of: loop)
            try loop.publish(1)
            loop.runNext()
            readers[leaving].disconnect()
            let late = RecordingSubscriber(on: loop.hubs[0])
            try loop.subscribe(late, lastN: 1)
            try loop.publish(2)
            loop.runUntilIdle()
            for (index, reader) in readers.enumerated() where index != leaving { #expect(reader.summary == "1 2") }
            #expect(late.summary == "1 2")
            #expect(loop.counters.books.owed == loop.counters.books.accounted)
        }
    }

    @Test func `who asks for a replay while a drain goes on gets it whole, though the drain has passed it`() throws {
        let loop = try loop(deliveries: 2)
        let readers = try readers(6, of: loop)
        try loop.publish(1...3)
        loop.runNext()
        try loop.subscribe(readers[0], lastN: 3)
        loop.runUntilIdle()
        #expect(readers[0].summary == "1 2 3 1 2 3")
        #expect(readers.dropFirst().allSatisfy { $0.summary == "1 2 3" })
    }

    @Test func `a long replay takes several turns, and others are served in between`() throws {
        let loop = try loop(deliveries: 2)
        try loop.broker.createTopic(named: "small")
        // Each in a batch of its own.
        let (reader, bystander) = (RecordingSubscriber(on: loop.hubs[0]), RecordingSubscriber(on: loop.hubs[0]))
        try loop.subscribe(bystander, to: "small")
        for number in 1...20 {
            try loop.publishBatch([BatchItem(number)], padding: #","x":"\#(String(repeating: "x", count: 70_000))""#)
        }
        try loop.subscribe(reader, lastN: 20)
        loop.runNext()
        try loop.publish(1, to: "small")
        loop.runNext()
        #expect(bystander.summary == "1" && reader.records.count < 20)
        loop.runUntilIdle()
        #expect(reader.records.count == 20)
    }

    @Test func `subscribers that resume at the same time share the turns`() throws {
        let loop = try loop(deliveries: 2)
        let readers = try readers(6, of: loop)
        for reader in readers { reader.block() }
        try loop.publish(1...3)
        loop.runUntilIdle()
        for reader in readers { reader.unblock() }
        #expect(readers.contains { $0.records.isEmpty })
        loop.runUntilIdle()
        #expect(readers.allSatisfy { $0.summary == "1 2 3" && $0.isFlushed })
    }

    @Test func `a subscription that has not had its turn is not slow`() throws {
        let loop = try loop(deliveries: 1)
        let readers = (0..<5).map { _ in RecordingSubscriber(on: loop.hubs[0]) }
        for reader in readers { try loop.subscribe(reader, queue: 1, overflow: .disconnect) }
        loop.runUntilIdle()
        for number in 1...10 {
            try loop.publish(number)
            loop.runNext()
        }
        loop.runUntilIdle()
        #expect(readers.allSatisfy { $0.summary == (1...10).summary })
    }

    @Test func `publishers wait for a drain that goes on, those of the same loop too, and lose nothing`() throws {
        let pace = LoopPace(deliveries: 1, bytes: 1 << 20, fewestMessages: 4)
        for hub in 0...1 {
            let loop = try loop(hubs: 2, deliveries: 2, pace: pace)
            let readers = (0..<9).map { _ in RecordingSubscriber(on: loop.hubs[0]) }
            var topic: Topic?
            for reader in readers { topic = try loop.subscribe(reader, queue: 2, overflow: .disconnect) }
            loop.runUntilIdle()
            try loop.publish(1, on: hub)
            loop.run(hub)
            loop.run(0)
            let publisher = RetryingPublisher(loop, topic: try #require(topic), from: 2, through: 100, on: hub)
            publisher.start()
            #expect(publisher.outcomes.last == .held)
            loop.runUntilIdle()
            #expect(publisher.isDone)
            #expect(readers.allSatisfy { $0.summary == (1...100).summary })
        }
    }

    @Test func `the end of a topic is told in several turns, to each once`() throws {
        let loop = try loop(deliveries: 3)
        let readers = try readers(8, of: loop)
        try loop.publish(1)
        loop.runNext()
        try loop.broker.deleteTopic(named: "t")
        loop.runUntilIdle()
        #expect(readers.allSatisfy { $0.summary == "1 deleted" })
        #expect(loop.counters.subscriptions == 0)
    }

    // MARK: Other work

    @Test func `a turn tells so many presence infos, and the next ones the others, in order`() throws {
        let loop = try loop(notices: 5)
        let watchers = (0..<4).map { _ in RecordingSubscriber(on: loop.hubs[0]) }
        for (index, watcher) in watchers.enumerated() {
            let request = SubscribeRequest(topic: "t", clientID: "w\(index)", detail: .keyed, presence: true)
            try loop.subscribe(watcher, request)
        }
        loop.runUntilIdle()
        for watcher in watchers { watcher.takeRecords() }
        let guest = RecordingSubscriber(on: loop.hubs[0])
        for number in 0..<3 { try loop.subscribe(guest, as: "g\(number)") }
        var told: [Int] = []
        while loop.runNext() { told.append(watchers.reduce(0) { $0 + $1.records.count }) }
        #expect(told == [5, 10, 12])
        #expect(watchers.allSatisfy { $0.summary == "+g0 +g1 +g2" })
    }

    @Test func `a watcher that goes before its turn is told nothing, and one that comes no older news`() throws {
        let loop = try loop(notices: 1)
        let watchers = (0..<3).map { _ in RecordingSubscriber(on: loop.hubs[0]) }
        let request = SubscribeRequest(topic: "t", clientID: "w", detail: .keyed, presence: true)
        for watcher in watchers { try loop.subscribe(watcher, request) }
        loop.runUntilIdle()
        for watcher in watchers { watcher.takeRecords() }
        try loop.subscribe(RecordingSubscriber(on: loop.hubs[0]), as: "g")
        loop.runNext()
        watchers[2].disconnect()
        let late = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(late, request)
        loop.runUntilIdle()
        #expect(watchers[2].records.isEmpty && late.records.isEmpty)
        #expect(watchers[0].summary == "+g -w +w" && watchers[1].summary == "+g -w +w")
    }

    @Test func `a turn places so many subscriptions in new topics, and the next ones the others`() throws {
        let loop = try loop(claims: 2)
        let readers = (0..<5).map { _ in RecordingSubscriber(on: loop.hubs[0]) }
        for reader in readers { try loop.subscribe(reader, SubscribeRequest(topic: "new.*", clientID: "c")) }
        try loop.broker.createTopic(named: "new.1")
        try loop.publish(1, to: "new.1")
        loop.runNext()
        #expect(readers.count { !$0.records.isEmpty } == 2)
        loop.runUntilIdle()
        #expect(readers.allSatisfy { $0.summary == "1" })
    }

    @Test func `who closes is served no more, and leaves its topics in several turns`() throws {
        let loop = try loop(endings: 3)
        let (many, other) = (RecordingSubscriber(on: loop.hubs[0]), RecordingSubscriber(on: loop.hubs[0]))
        try loop.subscribe(other, SubscribeRequest(topic: "t", clientID: "o", detail: .keyed, presence: true))
        for number in 0..<8 { try loop.subscribe(many, as: "c\(number)") }
        loop.runUntilIdle()
        other.takeRecords()
        many.disconnect()
        #expect(many.subscriptions.isEmpty && loop.broker.topic(named: "t")?.subscriberCount == 6)
        try loop.publish(1)
        loop.runNext()
        #expect(loop.broker.topic(named: "t")?.subscriberCount == 3)
        loop.runUntilIdle()
        #expect(many.records.isEmpty && loop.broker.topic(named: "t")?.subscriberCount == 1)
        let left = other.records.filter { if case .presence(_, false, _) = $0 { true } else { false } }
        #expect(left.count == 8 && other.numbers == [1])
        #expect(loop.counters.books.owed == loop.counters.books.accounted)
        // Those that are listed as gone are all there are.
        #expect(Set(loop.hubs[0].goneReports().map(\.clientID)).count == 8)
    }

    @Test func `patterns and names of who closes match nothing more, and leave the broker in several turns`() throws {
        let loop = try loop(endings: 2)
        let many = RecordingSubscriber(on: loop.hubs[0])
        for number in 0..<3 {
            try loop.subscribe(many, SubscribeRequest(topic: "new.*", clientID: "p\(number)"))
            try loop.wait(many, for: "new.\(number)")
        }
        many.disconnect()
        #expect(loop.broker.filterCount + loop.broker.awaitedCount > 0)
        try loop.broker.createTopic(named: "new.1")
        try loop.publish(1, to: "new.1")
        loop.runUntilIdle()
        #expect(loop.broker.filterCount == 0 && loop.broker.awaitedCount == 0)
        #expect(many.records.isEmpty && loop.broker.topic(named: "new.1")?.subscriberCount == 0)
        #expect(loop.counters.books.owed == loop.counters.books.accounted)
    }

    @Test func `a drain goes on around those that are leaving`() throws {
        let loop = try loop(deliveries: 3, endings: 1)
        let many = RecordingSubscriber(on: loop.hubs[0])
        let readers = (0..<8).map { _ in RecordingSubscriber(on: loop.hubs[0]) }
        for (number, reader) in readers.enumerated() {
            try loop.subscribe(many, as: "c\(number)")
            try loop.subscribe(reader)
        }
        loop.runUntilIdle()
        try loop.publish(1)
        loop.runNext()
        let before = many.records.count
        many.disconnect()
        try loop.publish(2)
        loop.runUntilIdle()
        #expect(readers.allSatisfy { $0.summary == "1 2" } && many.records.count == before)
        #expect(loop.counters.subscriptions == 8)
        #expect(loop.counters.books.owed == loop.counters.books.accounted)
    }
}
