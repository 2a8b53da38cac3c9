import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// Subscriptions that keep the oldest and lose what comes.
@Suite struct DropNewestTests {
    private func world(queue: Int, topicBytes: Int = 1 << 30) throws -> (ManualLoop, RecordingSubscriber) {
        let loop = ManualLoop(limits: MemoryBroker.Limits(history: 100, topicBytes: topicBytes))
        try loop.broker.createTopic(named: "t")
        let subscriber = RecordingSubscriber(on: loop.hubs[0], waterMark: .init(frames: 1), room: 0)
        try loop.follow(subscriber, queue: queue, overflow: .dropNewest)
        return (loop, subscriber)
    }

    private func publish(_ numbers: ClosedRange<Int>, _ loop: ManualLoop) throws {
        for number in numbers {
            try loop.publish(number)
            loop.runUntilIdle()
        }
    }

    @Test func `what comes when there is no room is dropped, and announced where it would have been`() throws {
        let (loop, subscriber) = try world(queue: 3)
        // One lies in the socket's way, three wait, and the rest finds no room.
        try publish(1...10, loop)
        #expect(subscriber.summary == "1")
        subscriber.take(100)
        try publish(11...12, loop)
        #expect(subscriber.summary == "1 2 3 4 dropped(6: 5-10) 11 12")
    }

    @Test func `several skipped ranges lie where there was no room`() throws {
        let (loop, subscriber) = try world(queue: 2)
        try publish(1...5, loop)
        subscriber.take(1)
        try publish(6...8, loop)
        subscriber.take(1)
        try publish(9...12, loop)
        subscriber.take(100)
        loop.runUntilIdle()
        #expect(subscriber.summary == "1 2 3 dropped(2: 4-5) 6 dropped(2: 7-8) 9 dropped(3: 10-12)")
        #expect(loop.counters.droppedNewest == 7 && loop.counters.droppedOldest == 0)
    }

    @Test func `a skipped range at the end is announced when its place is reached`() throws {
        let (loop, subscriber) = try world(queue: 1)
        try publish(1...4, loop)
        subscriber.take(100)
        #expect(subscriber.summary == "1 2 dropped(2: 3-4)")
        #expect(loop.counters.pending == 0)
    }

    @Test func `skipped ranges survive that the topic's bytes push out what is before them`() throws {
        let (loop, subscriber) = try world(queue: 5, topicBytes: 800)
        try publish(1000...1040, loop)
        subscriber.take(1000)
        loop.runUntilIdle()
        let told = subscriber.records.reduce(into: 0) { sum, record in
            if case .dropped(_, let count, let range?) = record {
                #expect(UInt64(range.count) == count)
                sum += Int(count)
            }
        }
        #expect(told + subscriber.numbers.count == 41)
        #expect(loop.counters.books.owed == loop.counters.books.accounted)
    }

    @Test func `what is held back is dropped though the policy is another by then`() throws {
        for policy in [OverflowPolicy.dropOldest, .latest] {
            let (loop, subscriber) = try world(queue: 2)
            try publish(1...6, loop)
            try loop.follow(subscriber, since: .position(epoch: "epoch1", offset: 6), queue: 2, overflow: policy)
            try publish(7...9, loop)
            subscriber.take(100)
            loop.runUntilIdle()
            #expect(subscriber.summary == "1 dropped(6: 2-7) 8 9", "\(policy)")
            #expect(loop.counters.books.owed == loop.counters.books.accounted)
        }
    }

    @Test func `an end leaves the books right`() throws {
        let (loop, subscriber) = try world(queue: 2)
        try publish(1...10, loop)
        subscriber.disconnect()
        let counters = loop.counters
        #expect(counters.delivered == 1 && counters.droppedNewest == 7 && counters.droppedEnded == 2)
        #expect(counters.books.owed == counters.books.accounted)
    }
}
