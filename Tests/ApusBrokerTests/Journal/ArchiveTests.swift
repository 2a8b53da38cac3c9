import ApusProtocol
import ApusTesting
import Testing

@testable import ApusBroker

/// What is not in memory any more is read back from the journal.
@Suite struct ArchiveTests {
    private let journal = ManualJournal(isArchive: true)
    private let padding = String(repeating: "x", count: 1000)

    /// A topic of which some ten messages stay in memory.
    private func loop(history: Int = 1000, turns: TurnLimits = TurnLimits()) throws -> ManualLoop {
        let limits = MemoryBroker.Limits(history: history, topicBytes: 50_000, tailBytes: 10_000)
        let loop = ManualLoop(hubs: 2, limits: limits, journal: journal, turns: turns)
        try loop.broker.createTopic(named: "t")
        return loop
    }

    private func publish(_ numbers: ClosedRange<Int>, _ loop: ManualLoop) throws {
        for number in numbers {
            try loop.publish("{\"n\":\(number),\"p\":\"\(padding)\"}")
            // A batch of its own each, so that there is something to be dropped.
            loop.runUntilIdle()
            journal.run()
            loop.runUntilIdle()
            try topic(loop).change { _ in }
        }
    }

    private func topic(_ loop: ManualLoop) throws -> Topic { try #require(loop.broker.topic(named: "t")) }

    /// Answers reads until there are none.
    private func read(_ loop: ManualLoop) {
        loop.runUntilIdle()
        while journal.readCount > 0 {
            journal.answer()
            loop.runUntilIdle()
        }
    }

    @Test func `memory keeps the tail, and a replay gets all of history`() throws {
        let loop = try loop()
        try publish(1...100, loop)
        #expect(try topic(loop).logBytes < 15_000)
        #expect(try topic(loop).inspect(now: loop.clock.now).first == 1)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, since: .all)
        loop.runUntilIdle()
        #expect(subscriber.records.isEmpty, "the journal has not answered")
        read(loop)
        #expect(subscriber.offsets == Array(1...100))
        try publish(101...102, loop)
        #expect(subscriber.offsets == Array(1...102))
    }

    @Test func `what cannot be read now is asked for again, and only then the subscriber has to come back`() throws {
        let loop = try loop()
        try publish(1...100, loop)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, since: .all)
        loop.runUntilIdle()
        journal.answer(.unavailable)
        read(loop)
        #expect(subscriber.offsets == Array(1...100))
        let other = RecordingSubscriber(on: loop.hubs[1])
        try loop.follow(other, since: .all)
        for _ in 1...6 {
            loop.runUntilIdle()
            #expect(other.records.isEmpty && journal.readCount == 1)
            journal.answer(.unavailable)
        }
        loop.runUntilIdle()
        #expect(other.summary == "unavailable" && journal.readCount == 0)
    }

    @Test func `of a topic that nobody reads, memory keeps what it is told to`() throws {
        var limits = MemoryBroker.Limits(history: 1000, topicBytes: 50_000, tailBytes: 10_000)
        limits.unreadTailBytes = 0
        let loop = ManualLoop(hubs: 1, limits: limits, journal: journal)
        try loop.broker.createTopic(named: "t")
        try publish(1...20, loop)
        #expect(try topic(loop).logBytes == 0)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, since: .all)
        read(loop)
        try publish(21...40, loop)
        #expect(subscriber.offsets == Array(1...40))
        #expect((9000...12_000).contains(try topic(loop).logBytes))
        loop.hubs[0].removeAll(of: subscriber)
        loop.runUntilIdle()
        #expect(try topic(loop).logBytes == 0)
    }

    @Test func `a replay starts where it is asked to, in memory or not`() throws {
        let loop = try loop()
        try publish(1...50, loop)
        loop.clock.now += 60_000
        let time = loop.clock.moment.wall
        try publish(51...100, loop)
        let epoch = try topic(loop).epoch
        let starts: [(ReplayStart, first: Int, isRecovered: Bool?)] = [
            (.position(epoch: epoch, offset: 20), 21, true), (.position(epoch: epoch, offset: 97), 98, true),
            (.lastN(30), 71, nil), (.lastN(3), 98, nil), (.time(time), 51, nil), (.age(30_000), 51, nil),
        ]
        for (start, first, isRecovered) in starts {
            let subscriber = RecordingSubscriber(on: loop.hubs[0])
            let receipt = try loop.follow(subscriber, since: start)
            read(loop)
            #expect(subscriber.offsets == Array(UInt64(first)...100), "\(start)")
            #expect(receipt.isRecovered == isRecovered)
            subscriber.disconnect()
        }
    }

    @Test func `what is published during a replay comes after it, however much it is`() throws {
        let loop = try loop()
        try publish(1...60, loop)
        let subscriber = RecordingSubscriber(on: loop.hubs[1])
        try loop.follow(subscriber, since: .all, queue: 5, on: 1)
        loop.runUntilIdle()
        try publish(61...90, loop)
        read(loop)
        #expect(subscriber.offsets == Array(1...90))
        #expect(subscriber.records.count == 90, "nothing was dropped")
    }

    @Test func `a client that does not read during its replay loses nothing, and holds nobody up`() throws {
        var turns = TurnLimits()
        (turns.archive.readBytes, turns.archive.heldBytes) = (20_000, 30_000)
        let loop = try loop(turns: turns)
        try publish(1...100, loop)
        let slow = (0..<8).map { _ in RecordingSubscriber(on: loop.hubs[0], waterMark: .init(frames: 5), room: 0) }
        for (index, subscriber) in slow.enumerated() {
            try loop.follow(subscriber, as: "\(index)", since: .all, queue: 5, overflow: .throttle)
        }
        let quick = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(quick, as: "quick", since: .all)
        read(loop)
        #expect(quick.offsets == Array(1...100))
        try publish(101...110, loop)
        #expect(quick.offsets == Array(1...110))
        let held = slow.flatMap(\.subscriptions.all).compactMap { $0.archive?.bytes }.reduce(0, +)
        #expect(held <= 30_000 + 20_000)
        for subscriber in slow {
            for _ in 0..<60 {
                subscriber.take(5)
                read(loop)
            }
            #expect(subscriber.offsets == Array(1...110))
        }
    }

    @Test func `who replays keeps nothing in memory; who falls behind beyond memory reads from the journal`() throws {
        let loop = try loop()
        try publish(1...30, loop)
        let slow = RecordingSubscriber(on: loop.hubs[0], waterMark: .init(frames: 1), room: 0)
        try loop.follow(slow, since: .lastN(0))
        try publish(31...130, loop)
        #expect(try topic(loop).logBytes <= 52_000, "the bound of the topic")
        for _ in 0..<130 {
            slow.take(1)
            read(loop)
        }
        #expect(slow.offsets == Array(31...130))
        #expect(slow.records.count == 100)
        try publish(131...131, loop)
        #expect(try topic(loop).logBytes < 15_000)
    }

    @Test func `what the journal has given up is a gap`() throws {
        let loop = try loop()
        try publish(1...60, loop)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, since: .all)
        loop.runUntilIdle()
        journal.giveUp(try topic(loop), before: 20)
        read(loop)
        #expect(subscriber.offsets == Array(20...60))
        #expect(subscriber.records.first == .dropped(topic: "t", count: 19, range: 1...19))
        let other = RecordingSubscriber(on: loop.hubs[0])
        let epoch = try topic(loop).epoch
        let receipt = try loop.follow(other, as: "d", since: .position(epoch: epoch, offset: 3))
        #expect(receipt.isRecovered == false)
        #expect(receipt.missed == 4...19)
    }

    @Test func `pages reach into the journal`() async throws {
        let loop = try loop()
        try publish(1...100, loop)
        let topic = try topic(loop)
        let now = loop.clock.now
        let answering = Task { [journal] in
            while !Task.isCancelled {
                journal.answer()
                await Task.yield()
            }
        }
        defer { answering.cancel() }
        let epoch = topic.epoch
        for (start, limit, expected) in [
            (ReplayStart.all, 10, 1...10), (.position(epoch: epoch, offset: 30), 1000, 31...100),
            (.lastN(4), 9, 97...100),
        ] {
            let page = try #require(try await topic.fullPage(from: start, limit: limit, now: now))
            #expect(page.entries.map(\.offset) == Array(expected).map(UInt64.init))
            #expect(page.first == 1)
            #expect(page.next == UInt64(expected.upperBound))
        }
    }

    @Test func `a topic takes its history along from level to level`() throws {
        let loop = try loop()
        try publish(1...50, loop)
        _ = try loop.broker.putTopic(named: "t") { $0.durability = .memory }
        journal.run()
        for number in 51...60 { try loop.publish("{\"n\":\(number),\"p\":\"\(padding)\"}") }
        let first = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(first, since: .all)
        read(loop)
        #expect(first.offsets == Array(1...60))
        _ = try loop.broker.putTopic(named: "t") { $0.durability = .disk }
        journal.run()
        loop.runUntilIdle()
        try publish(61...80, loop)
        #expect(try topic(loop).logBytes < 15_000)
        let second = RecordingSubscriber(on: loop.hubs[1])
        try loop.follow(second, since: .all, on: 1)
        read(loop)
        #expect(second.offsets == Array(1...80))
        #expect(first.offsets == Array(1...80))
    }

    @Test func `what the journal has can be dropped from memory, and history is as long as before`() throws {
        let loop = try loop()
        try publish(1...30, loop)
        loop.broker.dropTails()
        #expect(try topic(loop).logBytes < 2000)
        try publish(31...32, loop)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, since: .all)
        read(loop)
        #expect(subscriber.offsets == Array(1...32))
    }

    @Test func `a topic that is deleted during a replay ends it`() throws {
        let loop = try loop()
        try publish(1...60, loop)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, since: .all)
        loop.runUntilIdle()
        try loop.broker.deleteTopic(named: "t")
        read(loop)
        #expect(subscriber.records.last == .deleted(topic: "t"))
        #expect(loop.counters.subscriptions == 0)
    }
}
