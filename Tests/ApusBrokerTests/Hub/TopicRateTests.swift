import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

/// How many messages may be published to a topic.
@Suite struct TopicRateTests {
    private static let hour: Int64 = 3_600_000

    private func loop(_ rate: Rate = .off, burst: Int = 0) -> ManualLoop {
        ManualLoop(hubs: 2, limits: MemoryBroker.Limits(topicRate: RateLimit(rate, burst: burst)))
    }

    /// Publishes a message with its number as the id.
    private func publish(_ numbers: Int..., to name: String = "t", on loop: ManualLoop, hub: Int = 0) throws
        -> PublishOutcome
    {
        try loop.publishBatch(numbers.map { BatchItem($0) }, to: name, on: hub)
    }

    private func isTaken(_ outcome: PublishOutcome) -> Bool {
        if case .published = outcome { true } else { false }
    }

    @Test func `beyond the rate a publish is refused whole, and others do not notice`() throws {
        let loop = loop()
        _ = try loop.broker.putTopic(named: "t") { ($0.topicRate, $0.topicBurst) = (Rate(1, per: .hour), 3) }
        _ = try loop.broker.createTopic(named: "other")
        let subscriber = RecordingSubscriber(on: loop.hubs[1])
        try loop.follow(subscriber, on: 1)
        #expect(isTaken(try publish(1, 2, on: loop)))
        #expect(try publish(3, 4, on: loop) == .rateLimited(Self.hour))
        #expect(isTaken(try publish(5, on: loop, hub: 1)))
        #expect(try publish(6, on: loop) == .rateLimited(Self.hour))
        #expect(isTaken(try publish(7, to: "other", on: loop)))
        loop.clock.advance(by: Self.hour)
        #expect(isTaken(try publish(8, on: loop)))
        loop.runUntilIdle()
        #expect(subscriber.numbers == [1, 2, 5, 8] && loop.broker.topic(named: "t")?.publishedCount == 4)
        #expect(loop.hubs.reduce(0) { $0 + $1.report().rateLimited } == 2)
    }

    @Test func `a bare message to a topic with a rate is asked for as a publication`() throws {
        let loop = loop(Rate(1, per: .hour), burst: 2)
        _ = try loop.broker.createTopic(named: "t")
        #expect(try loop.publish(1) == .needsPublication)
        loop.broker.limitRate(nil)
        #expect(isTaken(try loop.publish(1)))
    }

    @Test func `what was refused is not remembered by a dedupe window`() throws {
        let loop = loop(Rate(1, per: .hour), burst: 1)
        _ = try loop.broker.putTopic(named: "t") { $0.dedupeWindow = 10 * Self.hour }
        #expect(isTaken(try publish(1, on: loop)))
        #expect(try publish(2, on: loop) == .rateLimited(Self.hour))
        loop.clock.advance(by: Self.hour)
        #expect(try publish(2, on: loop) == .published(PublishReceipt(offset: 2)))
    }

    @Test func `a batch larger than the burst passes when that is full`() throws {
        let loop = loop(Rate(1, per: .hour), burst: 2)
        _ = try loop.broker.createTopic(named: "t")
        #expect(isTaken(try publish(1, 2, 3, 4, 5, on: loop)))
        #expect(try publish(6, on: loop) == .rateLimited(4 * Self.hour))
        loop.clock.advance(by: 5 * Self.hour)
        #expect(isTaken(try publish(6, 7, 8, on: loop)))
    }

    @Test func `a publish that waits for a subscriber is charged when it is done`() throws {
        let loop = loop(Rate(1, per: .hour), burst: 2)
        _ = try loop.broker.createTopic(named: "t")
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        try loop.subscribe(subscriber, queue: 1, overflow: .throttle)
        subscriber.block()
        #expect(isTaken(try publish(1, on: loop)))
        #expect(try publish(2, on: loop) == .throttled)
        #expect(try publish(2, on: loop) == .throttled)
        subscriber.unblock()
        loop.runUntilIdle()
        #expect(isTaken(try publish(2, on: loop)))
        #expect(try publish(3, on: loop) == .rateLimited(Self.hour))
    }

    @Test func `a topic's own settings go before the server's, and 0 is any number`() throws {
        let loop = loop(Rate(1, per: .hour), burst: 2)
        func limit(_ name: String, _ change: (inout TopicSettings) -> Void) throws -> RateLimit? {
            try loop.broker.putTopic(named: name, change: change).topic.inspect(now: 0).rateLimit
        }
        let hourly = Rate(1, per: .hour)
        #expect(try limit("a") { _ in } == RateLimit(hourly, burst: 2))
        #expect(try limit("b") { $0.topicRate = Rate(7) } == RateLimit(Rate(7), burst: 7))
        #expect(try limit("c") { $0.topicBurst = 9 } == RateLimit(hourly, burst: 9))
        #expect(try limit("d") { $0.topicRate = .off } == nil)
        loop.broker.limitRate(RateLimit(Rate(5)))
        #expect(try limit("a") { _ in } == RateLimit(Rate(5)))
        #expect(try limit("b") { _ in } == RateLimit(Rate(7)))
        #expect(try limit("c") { _ in } == RateLimit(Rate(5), burst: 9))
        #expect(try limit("d") { _ in } == nil)
        #expect(try limit("b") { $0.topicRate = nil } == RateLimit(Rate(5)))
        #expect(try limit("new") { _ in } == RateLimit(Rate(5)))
        loop.broker.limitRate(nil)
        #expect(try limit("a") { _ in } == nil)
        #expect(try limit("c") { _ in } == nil)
    }

    @Test func `a program in the same process is told when it may publish again`() async throws {
        let clock = ManualClock()
        let apus = PubSub(.init(topicRate: Rate(1, per: .minute), topicBurst: 1), clock: clock)
        try apus.createTopic("t")
        try await apus.publish("t", "1")
        let error = await #expect(throws: BrokerError.self) { try await apus.publish("t", "2") }
        #expect(error?.code == .rateLimited && error?.retryAfter == .seconds(60))
        clock.advance(by: .seconds(60))
        #expect(try await apus.publish("t", "2").position.offset == 2)
    }
}
