import ApusProtocol
import ApusTesting
import NIOCore
import Testing

@testable import ApusBroker

/// Events for clients with permessage-deflate beside events for clients without.
@Suite struct CompressionTests {
    private func world(hubs: Int = 1, minimumSize: Int = 200, history: Int = 100) throws -> ManualLoop {
        let loop = ManualLoop(
            hubs: hubs,
            limits: MemoryBroker.Limits(history: history),
            compression: MessageCompressor.Settings(minimumSize: minimumSize)
        )
        try loop.broker.createTopic(named: "t")
        return loop
    }

    private func message(_ number: Int, size: Int = 500) -> String {
        let text = #"{"n":\#(number),"text":""#
        return text + String(repeating: "apus ", count: size / 5) + #""}"#
    }

    private func compressed(_ loop: ManualLoop) -> UInt64 {
        loop.hubs.reduce(0) { $0 + $1.report().compression.messages }
    }

    private func subscribe(
        _ loop: ManualLoop,
        _ window: DeflateWindow?,
        dialect: Dialect = .base,
        lastN: Int = 0,
        on hub: Int = 0
    ) throws -> RecordingSubscriber {
        let subscriber = RecordingSubscriber(on: loop.hubs[hub], dialect: dialect, window: window)
        try loop.subscribe(subscriber, lastN: lastN, on: hub)
        return subscriber
    }

    @Test func `a message is compressed once for all who take it so, on all loops`() throws {
        let loop = try world(hubs: 3)
        let plain = try subscribe(loop, nil)
        let subscribers = try (0..<30).map { try subscribe(loop, .usual, on: $0 % 3) }
        let texts = (0..<5).map { message($0) }
        for text in texts { try loop.publish(text) }
        loop.runUntilIdle()
        #expect(compressed(loop) == 5)
        for subscriber in subscribers {
            #expect(subscriber.messages == texts)
            #expect(subscriber.lastDelivery == subscribers[0].lastDelivery)
        }
        #expect(plain.messages == texts)
        #expect(subscribers[0].lastDelivery.readableBytes * 3 < plain.lastDelivery.readableBytes)
        let counters = loop.hubs.reduce(MessageCompressor.Counters()) { sum, hub in
            var sum = sum
            sum += hub.report().compression
            return sum
        }
        // The headers are 4 bytes each, plain, and here 2 when compressed.
        #expect(counters.input == UInt64(plain.lastDelivery.readableBytes - 5 * 4))
        #expect(counters.output == UInt64(subscribers[0].lastDelivery.readableBytes - 5 * 2))
    }

    @Test func `who takes nothing compressed gets the same bytes as without the others`() throws {
        for dialect in Dialect.allCases {
            let deliveries = try ([nil, .usual, .narrow] as [DeflateWindow?]).map { other in
                let loop = try world()
                let plain = try subscribe(loop, nil, dialect: dialect)
                _ = try subscribe(loop, other, dialect: .base)
                _ = try subscribe(loop, other, dialect: .v1)
                for number in 0..<5 { try loop.publish(message(number, size: number * 100)) }
                loop.runUntilIdle()
                return plain.lastDelivery
            }
            #expect(deliveries.allSatisfy { $0 == deliveries[0] && $0.readableBytes > 0 })
        }
    }

    @Test func `each dialect and window is compressed for itself, and says the same`() throws {
        let loop = try world()
        var subscribers: [RecordingSubscriber] = []
        for window in [DeflateWindow.usual, .narrow] {
            for dialect in Dialect.allCases { subscribers.append(try subscribe(loop, window, dialect: dialect)) }
        }
        let texts = [message(1), message(2, size: 10), message(3, size: 5000)]
        for text in texts { try loop.publish(text) }
        loop.runUntilIdle()
        #expect(subscribers.allSatisfy { $0.messages == texts })
        #expect(Set(subscribers.map { Array($0.lastDelivery.readableBytesView) }).count == 4)
        #expect(compressed(loop) == 8)
    }

    @Test func `messages that are too small are the plain ones themselves`() throws {
        let loop = try world(minimumSize: 1000)
        let plain = try subscribe(loop, nil)
        let other = try subscribe(loop, .usual)
        for number in 0..<3 { try loop.publish(message(number)) }
        loop.runUntilIdle()
        #expect(compressed(loop) == 0 && plain.lastDelivery == other.lastDelivery)
        let addresses = [plain, other].map { $0.lastDelivery.withUnsafeReadableBytes { $0.baseAddress } }
        #expect(addresses[0] == addresses[1])
    }

    @Test func `a hub that compresses nothing delivers plain events`() throws {
        let loop = ManualLoop()
        try loop.broker.createTopic(named: "t")
        let plain = try subscribe(loop, nil, dialect: .v1)
        let other = try subscribe(loop, .usual, dialect: .v1)
        try loop.publish(message(1))
        loop.runUntilIdle()
        #expect(other.messages == [message(1)] && other.lastDelivery == plain.lastDelivery)
    }

    @Test func `replays are compressed once for clients that come back together`() throws {
        let loop = try world()
        for number in 0..<20 {
            try loop.publish(message(number))
            loop.runUntilIdle()
        }
        let texts = (0..<20).map { message($0) }
        for _ in 0..<50 {
            let subscriber = try subscribe(loop, .usual, lastN: 100)
            loop.runUntilIdle()
            #expect(subscriber.messages == texts)
        }
        #expect(compressed(loop) == 20)
        let late = try subscribe(loop, .usual, lastN: 3)
        loop.runUntilIdle()
        #expect(late.messages == texts.suffix(3))
        #expect(compressed(loop) == 20)
    }

    @Test func `a replay that starts within a batch compresses from there on`() throws {
        let loop = try world()
        for number in 0..<20 { try loop.publish(message(number)) }
        for lastN in [3, 3, 2, 7, 5] {
            let subscriber = try subscribe(loop, .usual, lastN: lastN)
            loop.runUntilIdle()
            #expect(subscriber.messages == (20 - lastN..<20).map { message($0) })
        }
        #expect(compressed(loop) == 3 + 7)
    }

    @Test func `what replays had compressed is bounded, and another topic's is another`() throws {
        let loop = try world(history: 100_000)
        try loop.broker.createTopic(named: "u")
        // Half of each byte is noise.
        let texts = (0..<60).map { number in
            let noise = (0..<3750).map { _ in String(UInt64.random(in: 1 << 60...(.max)), radix: 16) }.joined()
            return #"{"n":\#(number),"noise":"\#(noise)"}"#
        }
        for text in texts {
            try loop.publish(text)
            loop.runUntilIdle()
        }
        try loop.publish(message(7), to: "u")
        for _ in 0..<2 {
            let subscriber = try subscribe(loop, .usual, lastN: 100)
            loop.runUntilIdle()
            #expect(subscriber.messages == texts)
            let bytes = loop.hubs[0].deflation?.replays.bytes ?? 0
            #expect(bytes > 900_000 && bytes <= ReplayedFrames.limit)
        }
        // The first to go were the first to be asked for again.
        #expect(compressed(loop) == 120)
        let other = RecordingSubscriber(on: loop.hubs[0], window: .usual)
        try loop.subscribe(other, to: "u", lastN: 1)
        loop.runUntilIdle()
        #expect(other.messages == [message(7)])
    }

    @Test func `what live subscribers had compressed goes when all have read it`() throws {
        let loop = try world()
        let slow = try subscribe(loop, .usual)
        let subscriber = try subscribe(loop, .usual)
        slow.block()
        try loop.publish(message(1))
        loop.runUntilIdle()
        #expect(compressed(loop) == 1)
        slow.unblock()
        loop.runUntilIdle()
        #expect(compressed(loop) == 1 && slow.lastDelivery == subscriber.lastDelivery)
        try loop.publish(message(2))
        loop.runUntilIdle()
        _ = try subscribe(loop, .usual, lastN: 2)
        loop.runUntilIdle()
        #expect(compressed(loop) == 4)
    }
}
