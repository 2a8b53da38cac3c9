import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// A replay and what is live behind it, for every way the log may lie.
@Suite struct ReplayTests {
    struct Case: CustomStringConvertible {
        var history: Int
        var published: Int
        /// The hub of another subscriber has a turn after so many publications, which seals a batch; 0: never.
        var batch: Int
        var lastN: Int

        var description: String { "history \(history), published \(published), batch \(batch), last_n \(lastN)" }

        static let all: [Case] = [0, 1, 3, 10, 100].flatMap { history in
            [0, 1, 7, 10, 40].flatMap { published in
                [0, 1, 3, 7].flatMap { batch in
                    [0, 1, 2, 3, 9, 10, 11, 39, 100, Int.max].map { lastN in
                        Case(history: history, published: published, batch: batch, lastN: lastN)
                    }
                }
            }
        }
    }

    private func world(_ test: Case) throws -> ManualLoop {
        let loop = ManualLoop(hubs: 2, limits: MemoryBroker.Limits(history: test.history))
        try loop.broker.createTopic(named: "t")
        let other = RecordingSubscriber(on: loop.hubs[1])
        try loop.subscribe(other, on: 1)
        for number in 0..<test.published {
            try loop.publish(number)
            if test.batch > 0, (number + 1) % test.batch == 0 { loop.runUntilIdle() }
        }
        return loop
    }

    @Test func `a replay goes over into live messages without a gap or a double`() throws {
        for test in Case.all {
            let loop = try world(test)
            let subscriber = RecordingSubscriber(on: loop.hubs[0])
            try loop.publish([1000])
            try loop.subscribe(subscriber, lastN: test.lastN)
            try loop.publish(1001...1003)
            loop.runUntilIdle()
            try loop.publish(1004...1005, on: 1)
            loop.runUntilIdle()
            let before = Array(0..<test.published) + [1000]
            let expected = before.suffix(min(test.lastN, test.history)) + Array(1001...1005)
            #expect(subscriber.numbers == Array(expected), "\(test)")
        }
    }

    @Test func `a replay to a subscriber that blocks at every frame has no gap or double either`() throws {
        for test in Case.all where test.batch != 1 {
            let loop = try world(test)
            let subscriber = RecordingSubscriber(on: loop.hubs[0], waterMark: .init(frames: 1), room: 0)
            try loop.subscribe(subscriber, lastN: test.lastN)
            loop.runUntilIdle()
            for number in 1001...1020 {
                try loop.publish(number, on: number % 2)
                subscriber.take(number % 3)
                loop.runUntilIdle()
            }
            subscriber.take(.max / 2)
            loop.runUntilIdle()
            let expected = (0..<test.published).suffix(min(test.lastN, test.history)) + Array(1001...1020)
            #expect(subscriber.numbers == Array(expected), "\(test)")
        }
    }

    @Test func `subscribing again replays again, from where it asks, once live messages are out`() throws {
        for test in Case.all {
            let loop = try world(test)
            let subscriber = RecordingSubscriber(on: loop.hubs[0])
            try loop.subscribe(subscriber)
            loop.runUntilIdle()
            try loop.subscribe(subscriber, lastN: test.lastN)
            try loop.publish(1001...1003)
            loop.runUntilIdle()
            let expected = (0..<test.published).suffix(min(test.lastN, test.history)) + Array(1001...1003)
            #expect(subscriber.numbers == Array(expected), "\(test)")
        }
    }

    @Test func `a replay beyond the queue is no overflow for one that reads`() throws {
        for policy in OverflowPolicy.allCases {
            let loop = ManualLoop(limits: MemoryBroker.Limits(history: 500))
            try loop.broker.createTopic(named: "t")
            try loop.publish(1...500)
            let subscriber = RecordingSubscriber(on: loop.hubs[0], waterMark: .init(frames: 5), room: 0)
            try loop.subscribe(subscriber, lastN: 500, queue: 10, overflow: policy)
            for number in 501...510 {
                try loop.publish(number)
                loop.runUntilIdle()
            }
            #expect(subscriber.numbers.count < 510)
            subscriber.take(1000)
            loop.runUntilIdle()
            #expect(subscriber.summary == (1...510).summary, "\(policy)")
        }
    }
}
