import ApusProtocol
import ApusTesting
import Testing

@testable import ApusBroker

/// How long messages take to the sockets is measured once for each turn that delivers.
@Suite struct DeliveryRoundsTests: Journaled {
    let journal = ManualJournal()

    private func plain(hubs: Int = 1, turns: TurnLimits = TurnLimits()) throws -> ManualLoop {
        let loop = ManualLoop(hubs: hubs, turns: turns)
        try loop.broker.createTopic(named: "t")
        return loop
    }

    @discardableResult
    private func readers(_ count: Int, of loop: ManualLoop, on hub: Int = 0) throws -> [RecordingSubscriber] {
        let readers = (0..<count).map { _ in RecordingSubscriber(on: loop.hubs[hub]) }
        for reader in readers { try loop.subscribe(reader, on: hub) }
        loop.runUntilIdle()
        return readers
    }

    private func times(of hub: Int = 0, _ loop: ManualLoop) -> LatencyHistogram {
        loop.hubs[hub].report().deliveryTimes
    }

    /// Lets two milliseconds pass.
    private func passTime() {
        let begin = HubMailbox.now()
        while HubMailbox.now() < begin + 2_000_000 {}
    }

    @Test func `a turn is one value, however many messages and subscribers it has`() throws {
        let loop = try plain()
        try readers(10, of: loop)
        for number in 1...5 { try loop.publish(number) }
        loop.runUntilIdle()
        #expect(times(loop).count == 1)
        try loop.publish(6)
        loop.runUntilIdle()
        #expect(times(loop).count == 2)
    }

    @Test func `what nobody gets is no value, and neither is a replay`() throws {
        let loop = try plain(hubs: 2)
        try loop.publish(1)
        loop.runUntilIdle()
        let late = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(late, lastN: 1)
        loop.runUntilIdle()
        #expect(late.numbers == [1])
        #expect(times(loop).count == 0)
    }

    @Test func `the oldest message of a turn counts, from when it was taken`() throws {
        let loop = try plain()
        try readers(1, of: loop)
        try loop.publish(1)
        passTime()
        try loop.publish(2)
        loop.runUntilIdle()
        #expect(times(loop).count == 1 && times(loop).sum >= 0.002)
    }

    @Test func `the loop that delivers counts it, from when another loop took the message`() throws {
        let loop = try plain(hubs: 2)
        try readers(3, of: loop, on: 1)
        try loop.publish(1)
        passTime()
        loop.run(0)
        passTime()
        loop.run(1)
        #expect(times(loop).count == 0)
        #expect(times(of: 1, loop).count == 1 && times(of: 1, loop).sum >= 0.004)
    }

    @Test func `a fan-out of several turns is a value when the last subscriber has it`() throws {
        let loop = try plain(turns: TurnLimits(bytes: 1))
        let readers = try readers(3, of: loop)
        try loop.publish(1)
        loop.runNext()
        passTime()
        while !readers.allSatisfy({ $0.numbers == [1] }) {
            #expect(times(loop).count == 0)
            loop.runNext()
        }
        loop.runUntilIdle()
        #expect(times(loop).count == 1 && times(loop).sum >= 0.002)
    }

    @Test func `what comes during such a fan-out is the next value`() throws {
        let loop = try plain(turns: TurnLimits(bytes: 1))
        let readers = try readers(3, of: loop)
        try loop.publish(1)
        loop.runNext()
        try loop.publish(2)
        passTime()
        loop.runUntilIdle()
        #expect(readers.allSatisfy { $0.numbers == [1, 2] })
        #expect(times(loop).count == 2 && times(loop).sum >= 0.004)
    }

    @Test func `a slow subscriber is not waited for`() throws {
        let loop = try plain()
        let slow = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(slow)
        loop.runUntilIdle()
        slow.block()
        try loop.publish(1)
        loop.runUntilIdle()
        passTime()
        slow.unblock()
        loop.runUntilIdle()
        #expect(slow.numbers == [1])
        #expect(times(loop).count == 1)
    }

    @Test func `the commit of a message that is kept is part of its time`() throws {
        let loop = try loop()
        try readers(1, of: loop)
        try loop.publish(1)
        loop.runUntilIdle()
        passTime()
        commit(loop)
        #expect(times(loop).count == 1 && times(loop).sum >= 0.002)
    }

    // MARK: The histogram

    @Test func `a bound is in its bucket, and what is above in the next`() {
        for (index, bound) in LatencyHistogram.bounds.enumerated() {
            var times = LatencyHistogram()
            let nanoseconds = UInt64((bound * 1e9).rounded())
            times.add(nanoseconds)
            times.add(nanoseconds + 1)
            #expect(times.counts[index] == 1 && times.counts[index + 1] == 1)
        }
        #expect(LatencyHistogram.bounds == LatencyHistogram.bounds.sorted())
    }

    @Test func `a sum has the values of both`() {
        var (left, right) = (LatencyHistogram(), LatencyHistogram())
        left.add(1_000_000)
        right.add(2_000_000)
        right.add(20_000_000_000)
        #expect((left + right).count == 3)
        #expect((left + right).sum == 20.003)
        #expect(left + right == right + left && left + right != left)
    }
}

extension LatencyHistogram {
    fileprivate var count: UInt64 { counts.indices.reduce(0) { $0 + counts[$1] } }
}
