import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// The warning before a cut, and who does not want its own messages back.
@Suite struct WarningTests {
    private func world(detail: EventEncoding.Detail = .keyed) throws -> (ManualLoop, RecordingSubscriber) {
        let loop = ManualLoop(limits: MemoryBroker.Limits(history: 10))
        try loop.broker.createTopic(named: "t")
        let subscriber = RecordingSubscriber(on: loop.hubs[0], origin: 7)
        let request = SubscribeRequest(topic: "t", clientID: "c", queue: 10, overflow: .disconnect, detail: detail)
        try loop.subscribe(subscriber, request)
        return (loop, subscriber)
    }

    private func publish(_ numbers: ClosedRange<Int>, _ loop: ManualLoop) throws {
        for number in numbers {
            try loop.publish(number)
            loop.runUntilIdle()
        }
    }

    @Test func `a warning comes at 80 % of the bound, once, and then the cut`() throws {
        let (loop, subscriber) = try world()
        subscriber.block()
        try publish(1...7, loop)
        #expect(subscriber.records.isEmpty)
        try publish(8...10, loop)
        #expect(subscriber.records == [.warning(topic: "t", lag: 8, queue: 10)])
        try publish(11...11, loop)
        #expect(subscriber.summary == "warning(8 of 10) slow")
    }

    @Test func `the next episode begins when it has caught up, and not before`() throws {
        let (loop, subscriber) = try world()
        for round in 0..<3 {
            subscriber.block()
            try publish((round * 10 + 1)...(round * 10 + 9), loop)
            subscriber.unblock()
            loop.runUntilIdle()
        }
        #expect(subscriber.records.count { $0 == .warning(topic: "t", lag: 8, queue: 10) } == 3)
        #expect(subscriber.numbers.count == 27)
    }

    @Test func `who reads some and stops again within an episode is not warned again`() throws {
        let loop = ManualLoop(limits: MemoryBroker.Limits(history: 10))
        try loop.broker.createTopic(named: "t")
        let subscriber = RecordingSubscriber(on: loop.hubs[0], waterMark: .init(frames: 1), room: 0)
        try loop.follow(subscriber, queue: 10, overflow: .disconnect)
        for number in 1...40 {
            try loop.publish(number)
            loop.runUntilIdle()
            if number > 9 { subscriber.take(1) }
        }
        #expect(subscriber.records.count { if case .warning = $0 { true } else { false } } == 1)
        #expect(!subscriber.records.contains(.slowConsumer(topic: "t")))
    }

    @Test func `a subscriber of the plain contract is not warned`() throws {
        let (loop, subscriber) = try world(detail: .plain)
        subscriber.block()
        try publish(1...11, loop)
        #expect(subscriber.summary == "slow")
    }

    @Test func `other policies do not warn`() throws {
        for policy in OverflowPolicy.allCases where policy != .disconnect {
            let loop = ManualLoop()
            try loop.broker.createTopic(named: "t")
            let subscriber = RecordingSubscriber(on: loop.hubs[0])
            try loop.follow(subscriber, queue: 10, overflow: policy)
            subscriber.block()
            try publish(1...10, loop)
            #expect(subscriber.records.isEmpty, "\(policy)")
        }
    }

    @Test func `without echo a connection's own messages do not come back, whatever is around them`() throws {
        let (loop, _) = try world()
        let subscriber = RecordingSubscriber(on: loop.hubs[0], origin: 3)
        try loop.follow(subscriber, echo: false)
        let origins: [UInt32] = [3, 1, 3, 3, 2, 0, 3, 7, 7, 3]
        for (number, origin) in origins.enumerated() { try loop.publish(number, origin: origin) }
        loop.runUntilIdle()
        #expect(subscriber.numbers == [1, 4, 5, 7, 8])
        #expect(subscriber.offsets == [2, 5, 6, 8, 9])
        #expect(loop.counters.selfPublished == 5)
    }

    @Test func `another connection of the same client gets them`() throws {
        let (loop, subscriber) = try world()
        try loop.publish(1, origin: 3)
        try loop.publish(2, origin: 7)
        loop.runUntilIdle()
        #expect(subscriber.numbers == [1, 2])
    }
}
