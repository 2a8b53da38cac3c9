import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// How far history goes back, and replays that ask for a time.
@Suite struct HistoryTests {
    /// A topic to which a number was published each second, the last one just now.
    private func loop(
        history: Int = 100,
        published: ClosedRange<Int> = 1...10,
        change: (inout TopicSettings) -> Void = { _ in }
    ) throws -> ManualLoop {
        let loop = ManualLoop(limits: MemoryBroker.Limits(history: history))
        _ = try loop.broker.putTopic(named: "t", change: change)
        for number in published {
            if number > published.lowerBound { loop.clock.advance(by: 1000) }
            try loop.publish(number)
        }
        return loop
    }

    private func replay(_ loop: ManualLoop, _ start: ReplayStart) throws -> [Int] {
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, since: start)
        loop.runUntilIdle()
        subscriber.disconnect()
        return subscriber.numbers
    }

    @Test func `all brings all that is kept`() throws {
        #expect(try replay(loop(), .all) == Array(1...10))
        #expect(try replay(loop(history: 4), .all) == Array(7...10))
        #expect(try replay(loop(history: 0), .all).isEmpty)
    }

    @Test func `an age brings what is no older, to the millisecond`() throws {
        let loop = try loop()
        #expect(try replay(loop, .age(0)) == [10])
        #expect(try replay(loop, .age(2999)) == [8, 9, 10])
        #expect(try replay(loop, .age(3000)) == [7, 8, 9, 10])
        #expect(try replay(loop, .age(86_400_000)) == Array(1...10))
        loop.clock.advance(by: 1)
        #expect(try replay(loop, .age(3000)) == [8, 9, 10])
    }

    @Test func `a time brings what was published at it or later`() throws {
        let loop = try loop()
        let now = loop.clock.now
        #expect(try replay(loop, .time(now)) == [10])
        #expect(try replay(loop, .time(now - 2000)) == [8, 9, 10])
        #expect(try replay(loop, .time(now - 1999)) == [9, 10])
        #expect(try replay(loop, .time(now + 1)).isEmpty)
        #expect(try replay(loop, .time(0)) == Array(1...10))
    }

    @Test func `a time within a batch cuts the batch`() throws {
        let loop = ManualLoop()
        try loop.broker.createTopic(named: "t")
        for number in 1...50 {
            try loop.publish(number)
            loop.clock.advance(by: 10)
        }
        // Nobody has read, so that all of them are one batch.
        #expect(try replay(loop, .age(100)) == Array(41...50))
    }

    @Test func `history by age goes back no further, and lets older ones go`() throws {
        let loop = try loop { $0.historyAge = 3000 }
        #expect(try replay(loop, .all) == [7, 8, 9, 10])
        #expect(try replay(loop, .lastN(6)) == [7, 8, 9, 10])
        loop.clock.advance(by: 2500)
        #expect(try replay(loop, .lastN(6)) == [10])
        loop.clock.advance(by: 10_000)
        #expect(try replay(loop, .all).isEmpty)
    }

    @Test func `who resumes where history by age no longer reaches is told what is missed`() throws {
        let loop = try loop { $0.historyAge = 3000 }
        let receipt = try loop.follow(
            RecordingSubscriber(on: loop.hubs[0]),
            since: .position(epoch: "epoch1", offset: 2)
        )
        #expect(receipt.isRecovered == false && receipt.missed == 3...6)
    }

    @Test func `history by bytes keeps the newest that fit`() throws {
        let size = try loop().broker.topic(named: "t")?.template.frameSize(message: ManualLoop.message(1).utf8.count)
        let frame = try #require(size)
        for (bytes, count) in [(0, 0), (frame - 1, 0), (frame, 1), (5 * frame, 5), (6 * frame - 1, 5)] {
            let loop = try loop(published: 1...9) { $0.historyBytes = bytes }
            #expect(try replay(loop, .all) == Array((1...9).suffix(count)), "\(bytes) bytes")
        }
    }

    @Test func `settings change what is kept from then on, and what is gone stays gone`() throws {
        let loop = try loop(history: 100)
        _ = try loop.broker.putTopic(named: "t") { $0.history = 3 }
        #expect(try replay(loop, .all) == [8, 9, 10])
        _ = try loop.broker.putTopic(named: "t") { $0.history = nil }
        try loop.publish(11)
        let numbers = try replay(loop, .all)
        #expect(numbers == Array((12 - numbers.count)...11) && numbers.count >= 4)
    }

    @Test func `a topic's settings are seen where it is looked at`() throws {
        let loop = try loop(history: 4)
        _ = try loop.broker.putTopic(named: "t") { $0.queue = 7 }
        let topic = try #require(loop.broker.topic(named: "t"))
        let inspection = topic.inspect(now: loop.clock.now)
        #expect(inspection.first == 7 && inspection.last == 10 && inspection.subscribers == 0)
        #expect(inspection.settings.queue == 7 && inspection.settings.history == nil)
        #expect(inspection.messageRate > 0.5 && inspection.messageRate <= 1)
        loop.clock.advance(by: 60_000)
        #expect(topic.inspect(now: loop.clock.now).messageRate == 0)
    }
}
