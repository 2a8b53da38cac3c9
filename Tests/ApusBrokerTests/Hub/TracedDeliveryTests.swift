import ApusProtocol
import ApusTesting
import NIOCore
import Testing

@testable import ApusBroker

/// Messages with a trace context: who gets it, and what is told of their delivery.
@Suite struct TracedDeliveryTests {
    private final class Watch: SpanWatch {
        var drains: [TracedDrain] = []
        func now() -> UInt64 { 5 }
        func delivered(_ drain: TracedDrain) { drains.append(drain) }
    }

    private let loop = ManualLoop(hubs: 1)
    private let watch = Watch()

    init() throws {
        _ = try loop.broker.createTopic(named: "t")
        loop.hubs[0].spanWatch = watch
    }

    private func trace(_ number: UInt64, flags: UInt8 = 1) -> TraceContext {
        TraceContext(traceID: UInt128(number), spanID: number, flags: flags)
    }

    private func publish(_ number: Int, _ trace: TraceContext?) {
        let text = Array(#"{"n":\#(number)}"#.utf8)
        text.withUnsafeBytes { text in
            var name = "t"
            name.withUTF8 { name in
                _ = loop.hubs[0].publish(
                    [Publication(message: text, id: "\(number)", trace: trace)],
                    toTopicNamed: UnsafeRawBufferPointer(name),
                    time: Timestamp(loop.clock.moment),
                    origin: 0
                )
            }
        }
    }

    private func subscriber(traces: Bool, as clientID: String = "c", lastN: Int = 0) throws -> RecordingSubscriber {
        let subscriber = RecordingSubscriber(on: loop.hubs[0])
        var request = SubscribeRequest(topic: "t", clientID: clientID, start: .lastN(lastN))
        request.traces = traces
        try loop.subscribe(subscriber, request)
        return subscriber
    }

    private func traces(_ subscriber: RecordingSubscriber) throws -> [String?] {
        try #require(EventFrame.decode(subscriber.lastDelivery, dialect: .base)).map(\.trace)
    }

    @Test func `who asks gets the trace, and the frames of the others are as without one`() throws {
        let (curious, plain) = (try subscriber(traces: true), try subscriber(traces: false))
        publish(1, trace(7))
        publish(2, nil)
        loop.runUntilIdle()
        #expect(try traces(curious) == ["\"\(trace(7))\"", nil])
        let traced = plain.lastDelivery
        publish(1, nil)
        publish(2, nil)
        loop.runUntilIdle()
        #expect(plain.lastDelivery == traced)
        #expect(try traces(curious) == [nil, nil])
        // Who keeps up gets a batch with traces in one piece, as any other.
        #expect(plain.deliveries == 2)
    }

    @Test func `a subscription that asks anew gets traces from then on`() throws {
        let subscriber = try subscriber(traces: false)
        var request = SubscribeRequest(topic: "t", clientID: "c")
        request.traces = true
        try loop.subscribe(subscriber, request)
        publish(1, trace(7))
        loop.runUntilIdle()
        #expect(try traces(subscriber) == ["\"\(trace(7))\""])
    }

    @Test func `replays have traces too`() throws {
        publish(1, trace(7))
        publish(2, nil)
        publish(3, trace(8))
        let subscriber = try subscriber(traces: true, lastN: 3)
        loop.runUntilIdle()
        #expect(try traces(subscriber) == ["\"\(trace(7))\"", nil, "\"\(trace(8))\""])
        // What was published before anybody was there is no delivery of news.
        #expect(watch.drains.isEmpty)
    }

    @Test func `a delivery tells the recorded traces of what is new, and to how many it went`() throws {
        _ = (try subscriber(traces: false), try subscriber(traces: false, as: "d"))
        publish(1, trace(1))
        publish(2, nil)
        publish(3, trace(2, flags: 0))
        publish(4, trace(3))
        loop.runUntilIdle()
        publish(5, nil)
        loop.runUntilIdle()
        let drain = try #require(watch.drains.first)
        #expect(watch.drains.count == 1)
        #expect(drain.traces == [trace(1), trace(3)])
        #expect((drain.messages, drain.subscriptions, drain.deliveries) == (4, 2, 8))
        #expect(drain.topic.name == "t" && drain.start == 5)
    }

    @Test func `a delivery that takes several turns is told once, with all of it`() throws {
        loop.hubs[0].limits = TurnLimits(bytes: 1)
        let subscribers = try (0..<5).map { try subscriber(traces: false, as: "c\($0)") }
        publish(1, trace(1))
        loop.runUntilIdle()
        #expect(watch.drains.map(\.deliveries) == [5])
        #expect(subscribers.allSatisfy { $0.deliveries == 1 })
    }

    @Test func `the number of traces that are told is bounded`() throws {
        _ = try subscriber(traces: false)
        for number in 1...100 { publish(number, trace(UInt64(number))) }
        loop.runUntilIdle()
        #expect(watch.drains.map(\.traces.count) == [TracedDrain.limit])
    }

    @Test func `traces in batches that are full already are told as well`() throws {
        _ = try subscriber(traces: false)
        publish(1, trace(1))
        for number in 2...4000 { publish(number, nil) }
        publish(4001, trace(2))
        loop.runUntilIdle()
        #expect(watch.drains.first?.traces == [trace(1), trace(2)])
    }

    @Test func `the state of a trace goes along with it, to those who ask and to the spans`() throws {
        let (curious, plain) = (try subscriber(traces: true), try subscriber(traces: false))
        let state = try #require(TraceState(#"a="1",b=2"#))
        var stated = trace(7)
        stated.state = state
        publish(1, stated)
        loop.runUntilIdle()
        let event = try #require(EventFrame.decode(curious.lastDelivery, dialect: .base)?.first)
        #expect(event.trace == "\"\(trace(7))\"" && event.traceState == #""a=\"1\",b=2""#)
        #expect(try #require(EventFrame.decode(plain.lastDelivery, dialect: .base)?.first).traceState == nil)
        #expect(watch.drains.map(\.traces) == [[stated]])
    }

    @Test func `a journal keeps traces beside keys and lifetimes`() throws {
        let template = EventTemplate(topic: "t", epoch: "e")
        var log = TopicLog(template: template, limits: TopicLog.Limits(history: 10, bytes: 1 << 20))
        let state = try #require(TraceState("a=1"))
        var stated = trace(2)
        stated.state = state
        let details = [
            PublicationDetail(key: Array("\"k\"".utf8), expires: 5000, trace: trace(1).json), .none,
            PublicationDetail(trace: stated.json),
        ]
        for detail in details {
            Array("1".utf8).withUnsafeBytes {
                _ = log.append($0, time: Timestamp(milliseconds: 1000), origin: 0, detail: detail)
            }
        }
        log.seal()
        let batch = try #require(log.newest)
        let record = BatchRecord(batch, ids: [(offset: 3, id: "x")])
        let (again, ids) = try #require(record.batch(template: template, lead: 0))
        #expect(again.details?.all.map(\.trace) == details.map(\.trace) && again.isSound)
        #expect(again.details?.all.map(\.expires) == details.map(\.expires) && ids.map(\.id) == ["x"])
        let messages = try #require(record.messages(of: template))
        #expect(messages.map(\.trace) == details.map(\.trace))
        #expect(BatchRecord(messages, ids: [(offset: 3, id: "x")], template: template).details == record.details)
    }

    @Test func `drops name a subscription until somebody asks, and then the next one`() throws {
        let (slow, slower) = (RecordingSubscriber(on: loop.hubs[0]), RecordingSubscriber(on: loop.hubs[0]))
        try loop.subscribe(slow, as: "slow", queue: 1)
        slow.block()
        try loop.publish(1...5)
        loop.runUntilIdle()
        try loop.subscribe(slower, as: "slower", queue: 1)
        slower.block()
        try loop.publish(6...9)
        loop.runUntilIdle()
        let examples = loop.hubs[0].takeDropExamples()
        #expect(examples.map(\.clientID) == ["slow"] && examples.map(\.reason) == [.dropOldest])
        #expect(examples.allSatisfy { $0.topic == "t" && $0.count > 0 && $0.time == loop.clock.moment.wall })
        loop.hubs[0].removeAll(of: slow, reason: .disconnected)
        loop.runUntilIdle()
        try loop.publish(10...12)
        loop.runUntilIdle()
        let next = Dictionary(uniqueKeysWithValues: loop.hubs[0].takeDropExamples().map { ($0.reason, $0.clientID) })
        #expect(next == [.dropOldest: "slower", .ended: "slow"])
    }
}
