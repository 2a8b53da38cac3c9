import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// A wall clock that is set by hours, while time passes as it always does.
@Suite struct ClockTests {
    private static let steps: [Int64] = [-7_200_000, 7_200_000]

    private func loop(_ change: (inout TopicSettings) -> Void = { _ in }) throws -> ManualLoop {
        let loop = ManualLoop()
        _ = try loop.broker.putTopic(named: "t", change: change)
        return loop
    }

    private func replay(_ loop: ManualLoop, _ start: ReplayStart = .all) throws -> [Int] {
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, since: start)
        loop.runUntilIdle()
        subscriber.disconnect()
        return subscriber.numbers
    }

    @Test(arguments: steps)
    func `a lifetime is as long as it was`(step: Int64) throws {
        let loop = try loop { $0.ttl = 1000 }
        try loop.publish(1, ttl: 10_000)
        try loop.publishBatch([BatchItem(2)])
        loop.clock.setWall(by: step)
        try loop.publishBatch([BatchItem(3)])
        #expect(try replay(loop) == [1, 2, 3])
        loop.clock.advance(by: 999)
        #expect(try replay(loop) == [1, 2, 3])
        loop.clock.advance(by: 1)
        #expect(try replay(loop) == [1])
        loop.clock.setWall(by: -step)
        #expect(try replay(loop) == [1])
        loop.clock.advance(by: 9000)
        #expect(try replay(loop).isEmpty)
    }

    @Test(arguments: steps)
    func `history by age goes back as far as it did`(step: Int64) throws {
        let loop = try loop { $0.historyAge = 1000 }
        try loop.publish(1)
        loop.clock.advance(by: 600)
        loop.clock.setWall(by: step)
        // The same batch, had the clock not been set.
        try loop.publish(2)
        loop.broker.trim(now: loop.clock.now, limit: .max)
        #expect(try replay(loop) == [1, 2])
        loop.clock.advance(by: 500)
        #expect(try replay(loop) == [2])
        loop.clock.advance(by: 501)
        #expect(try replay(loop).isEmpty)
        loop.broker.trim(now: loop.clock.now, limit: .max)
        #expect(loop.broker.topic(named: "t")?.logBytes == 0)
    }

    @Test(arguments: steps)
    func `an id is known for as long as it was`(step: Int64) throws {
        let loop = try loop { $0.dedupeWindow = 1000 }
        try loop.publish(1, id: "a")
        loop.clock.setWall(by: step)
        loop.clock.advance(by: 1000)
        #expect(try loop.publish(2, id: "a") == .published(PublishReceipt(offset: 1, count: 0, duplicates: 1)))
        loop.clock.setWall(by: -2 * step)
        #expect(try loop.publish(2, id: "a") == .published(PublishReceipt(offset: 1, count: 0, duplicates: 1)))
        loop.clock.advance(by: 1)
        #expect(try loop.publish(2, id: "a").offset == 2)
    }

    @Test(arguments: steps)
    func `an age asks for time that has passed, and a time for stamps`(step: Int64) throws {
        let loop = try loop()
        for number in 1...4 {
            if number == 3 { loop.clock.setWall(by: step) }
            try loop.publish(number)
            loop.clock.advance(by: 1000)
        }
        #expect(try replay(loop, .age(3000)) == [2, 3, 4])
        #expect(try replay(loop, .age(1000)) == [4])
        let (now, before) = (loop.clock.wall, loop.clock.wall - step)
        // What is stamped with that time or later, and all behind the first such message.
        #expect(try replay(loop, .time(now - 1000)) == (step < 0 ? [1, 2, 3, 4] : [4]))
        #expect(try replay(loop, .time(before - 3000)) == [2, 3, 4])
        #expect(try replay(loop, .time(max(now, before))).isEmpty)
    }

    @Test(arguments: steps)
    func `rates and lags are what they were`(step: Int64) throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber)
        subscriber.block()
        try loop.publish(1...20)
        loop.runUntilIdle()
        loop.clock.setWall(by: step)
        loop.clock.advance(by: 500)
        let inspection = try #require(loop.broker.topic(named: "t")).inspect(now: loop.clock.now)
        #expect(inspection.messageRate == 2)
        #expect(loop.hubs[0].subscriptionReports().map(\.lag.milliseconds) == [500])
    }

    @Test func `the oldest subscription is listed first, though the clock was set back`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        for clientID in ["a", "b"] {
            try loop.subscribe(subscriber, as: clientID)
            loop.clock.setWall(by: -1000)
        }
        let reports = loop.hubs[0].subscriptionReports(order: .since)
        #expect(reports.map(\.clientID) == ["a", "b"] && reports[0].since > reports[1].since)
        #expect(Hub.ReportOrder.since.precedes(reports[0], reports[1]))
    }
}
