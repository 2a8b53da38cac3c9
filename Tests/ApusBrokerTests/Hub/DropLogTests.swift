import ApusProtocol
import ApusTesting
import Testing

@testable import ApusBroker

/// What a subscription remembers not to have got.
@Suite struct DropLogTests {
    @Test func `ranges of one reason that follow each other are one`() {
        let log = DropLog()
        log.add(1..<4, count: 3, .queueFull, time: 10)
        log.add(4..<6, count: 2, .queueFull, time: 20)
        log.add(6..<7, count: 1, .expired, time: 30)
        log.add(9..<10, count: 1, .logFull, time: 40)
        #expect(log.entries.map(\.range) == [1..<6, 6..<7, 9..<10])
        #expect(log.entry(at: 5) == DropLog.Entry(range: 1..<6, reason: .queueFull, count: 5, time: 20))
        #expect(log.entry(at: 7) == nil && log.entry(at: 6)?.reason == .expired)
        #expect(log.lastLoss?.range == 9..<10)
    }

    @Test func `the oldest ranges are forgotten, and it knows up to where`() {
        let log = DropLog()
        for number in 0..<UInt64(DropLog.limit + 2) {
            log.add(number * 10..<number * 10 + 5, count: 5, .expired, time: 0)
        }
        #expect(log.entries.count == DropLog.limit && log.forgotten == 15)
        #expect(log.lastLoss == nil)
    }

    @Test func `what is delivered again is forgotten`() {
        let log = DropLog()
        log.add(1..<5, count: 4, .queueFull, time: 0)
        log.add(7..<20, count: 13, .queueFull, time: 0)
        log.forget(from: 10)
        #expect(log.entries.map(\.range) == [1..<5, 7..<10])
        log.add(3..<30, count: 5, .expired, time: 0)
        log.forget(from: 8)
        #expect(log.entries.map(\.range) == [1..<5, 7..<8, 3..<8])
        log.forget(from: 1)
        #expect(log.entries.isEmpty)
    }

    @Test func `it counts the memory that it takes, which has a bound`() {
        let log = DropLog()
        let least = log.bytes
        for number in 0..<UInt64(4 * DropLog.limit) {
            let before = log.bytes
            log.add(number * 10..<number * 10 + 5, count: 5, .expired, time: 0)
            #expect(log.bytes > before || log.entries.count == DropLog.limit)
        }
        #expect(log.bytes - least == DropLog.limit * MemoryLayout<DropLog.Entry>.stride)
        #expect(log.bytes < 2048)
    }

    @Test func `what a subscription remembers counts for its subscriber and for the hub until it ends`() throws {
        let loop = ManualLoop()
        try loop.broker.createTopic(named: "t")
        _ = try loop.broker.putTopic(named: "t") { $0.history = 100 }
        let (slow, quick) = (RecordingSubscriber(on: loop.hubs[0]), RecordingSubscriber(on: loop.hubs[0]))
        try loop.follow(slow, queue: 2, overflow: .dropOldest)
        try loop.follow(quick)
        slow.block()
        try loop.publish(1...50)
        loop.runUntilIdle()
        slow.unblock()
        loop.runUntilIdle()
        let held = loop.hubs[0].heldBytes()
        #expect(held.keys.map { $0 } == [ObjectIdentifier(slow)] && held[ObjectIdentifier(slow)] ?? 0 > 100)
        #expect(loop.hubs[0].report().dropLogBytes == held[ObjectIdentifier(slow)])
        loop.hubs[0].removeAll(of: slow)
        loop.runUntilIdle()
        #expect(loop.hubs[0].report().dropLogBytes == 0 && loop.hubs[0].heldBytes().isEmpty)
    }
}
