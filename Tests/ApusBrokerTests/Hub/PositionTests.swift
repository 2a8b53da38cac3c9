import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// Offsets that events and acks tell, and what comes to who resumes behind one.
@Suite struct PositionTests {
    private func loop(history: Int = 10, published: ClosedRange<Int>? = nil) throws -> ManualLoop {
        let loop = ManualLoop(limits: MemoryBroker.Limits(history: history))
        try loop.broker.createTopic(named: "t")
        if let published { try loop.publish(published) }
        return loop
    }

    private func code(_ body: () throws -> Void) -> BrokerError.Code? {
        do {
            try body()
            return nil
        } catch {
            return (error as? BrokerError)?.code
        }
    }

    @Test func `who asks for positions is told each event's offset, and others are not`() throws {
        let loop = try loop(published: 1...3)
        let positioned = RecordingSubscriber(on: loop.hubs[0])
        let plain = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(positioned)
        try loop.subscribe(plain)
        try loop.publish(4...6)
        loop.runUntilIdle()
        #expect(positioned.offsets == [4, 5, 6])
        #expect(plain.numbers == [4, 5, 6] && plain.offsets.isEmpty)
    }

    @Test func `the ack of a topic to which nothing was published has a position to resume from`() throws {
        let loop = try loop()
        let receipt = try loop.follow(RecordingSubscriber(on: loop.hubs[0]))
        #expect(receipt.epoch == "epoch1" && receipt.offset == 0 && receipt.isRecovered == nil)
        try loop.publish(1...2)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let resumed = try loop.follow(subscriber, since: .position(epoch: receipt.epoch, offset: 0))
        loop.runUntilIdle()
        #expect(resumed.isRecovered == true && resumed.offset == 0 && resumed.missed == nil)
        #expect(subscriber.offsets == [1, 2])
    }

    @Test func `resuming at any offset that is kept brings what came after it exactly once`() throws {
        for offset in UInt64(10)...20 {
            let loop = try loop(published: 1...20)
            let subscriber = RecordingSubscriber(on: loop.hubs[0])
            let receipt = try loop.follow(subscriber, since: .position(epoch: "epoch1", offset: offset))
            try loop.publish(21...22)
            loop.runUntilIdle()
            #expect(receipt.isRecovered == true && receipt.offset == offset && receipt.missed == nil)
            #expect(subscriber.offsets == Array((offset + 1)...22))
        }
    }

    @Test func `what is no longer kept is named, and the rest replayed`() throws {
        for offset in UInt64(0)...9 {
            let loop = try loop(published: 1...20)
            let subscriber = RecordingSubscriber(on: loop.hubs[0])
            let receipt = try loop.follow(subscriber, since: .position(epoch: "epoch1", offset: offset))
            loop.runUntilIdle()
            #expect(receipt.isRecovered == false && receipt.missed == (offset + 1)...10 && receipt.offset == 10)
            #expect(subscriber.offsets == Array(11...20))
        }
    }

    @Test func `another epoch is not recovered, and all that is kept is replayed`() throws {
        let loop = try loop(published: 1...20)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let receipt = try loop.follow(subscriber, since: .position(epoch: "epoch0", offset: 15))
        loop.runUntilIdle()
        #expect(receipt.epoch == "epoch1" && receipt.isRecovered == false && receipt.missed == nil)
        #expect(subscriber.offsets == Array(11...20))
    }

    @Test func `a topic made again is another epoch`() throws {
        let loop = try loop(published: 1...5)
        try loop.broker.deleteTopic(named: "t")
        try loop.broker.createTopic(named: "t")
        try loop.publish(6)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        let receipt = try loop.follow(subscriber, since: .position(epoch: "epoch1", offset: 5))
        loop.runUntilIdle()
        #expect(receipt.isRecovered == false && receipt.epoch == "epoch2")
        #expect(subscriber.records == [.event(topic: "t", message: ManualLoop.message(6), offset: 1)])
    }

    @Test func `a position from the future is refused, and nothing is left of the attempt`() throws {
        let loop = try loop(published: 1...5)
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        for offset in [UInt64(6), 7, .max] {
            #expect(
                code { try loop.follow(subscriber, since: .position(epoch: "epoch1", offset: offset)) }
                    == .positionInFuture
            )
        }
        #expect(subscriber.subscriptions.isEmpty && loop.broker.topic(named: "t")?.subscriberCount == 0)
        try loop.follow(subscriber, since: .position(epoch: "epoch1", offset: 5))
        // It is refused to one that is there as well, which stays as it was.
        #expect(code { try loop.follow(subscriber, since: .position(epoch: "epoch1", offset: 6)) } == .positionInFuture)
        try loop.publish(6)
        loop.runUntilIdle()
        #expect(subscriber.offsets == [6])
    }

    @Test func `a client that drops its connection again and again gets each message once`() throws {
        let loop = try loop(history: 100)
        var handled: UInt64 = 0
        var all: [UInt64] = []
        for round in 0..<20 {
            let subscriber = RecordingSubscriber(on: loop.hubs[0], waterMark: .init(frames: 2), room: round % 5)
            let receipt = try loop.follow(subscriber, since: .position(epoch: "epoch1", offset: handled))
            try loop.publish((round * 3)..<(round * 3 + 3))
            loop.runUntilIdle()
            #expect(receipt.isRecovered == true && receipt.offset == handled)
            subscriber.disconnect()
            all += subscriber.offsets
            handled = subscriber.offsets.last ?? handled
        }
        let last = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(last, since: .position(epoch: "epoch1", offset: handled))
        loop.runUntilIdle()
        #expect(all + last.offsets == Array(1...60))
    }

    @Test func `what is dropped is told with its first and its last offset`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, queue: 3)
        subscriber.block()
        try loop.publish(1...10)
        loop.runUntilIdle()
        subscriber.unblock()
        #expect(subscriber.summary == "dropped(7: 1-7) 8 9 10")
    }

    @Test func `a replay that brings back a part of what was dropped leaves the rest to be told`() throws {
        let loop = try loop()
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.follow(subscriber, queue: 3)
        subscriber.block()
        try loop.publish(1...20)
        loop.runUntilIdle()
        let receipt = try loop.follow(subscriber, since: .position(epoch: "epoch1", offset: 12), queue: 3)
        #expect(receipt.isRecovered == true && receipt.offset == 12)
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(subscriber.summary == "dropped(12: 1-12) " + (13...20).summary)
    }
}
