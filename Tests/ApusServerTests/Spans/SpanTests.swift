import ApusBroker
import Foundation
import NIOCore
import Testing
import Tracing

@testable import ApusProtocol
@testable import ApusServer

@Suite struct SpanTests {
    private let queue = SpanQueue(limit: 3)
    private var tracer: OTLPTracer { OTLPTracer(queue: queue) }
    private let sampled = TraceContext(traceID: 7, spanID: 8, flags: 1)
    private let stated = TraceContext(traceID: 7, spanID: 8, flags: 1, state: TraceState(#"a="1""#))
    private let unsampled = TraceContext(traceID: 7, spanID: 8, flags: 0)

    /// The spans that wait, which are all of the tracer.
    private func take(upTo count: Int) -> [SpanRecord] {
        queue.take(upTo: count).compactMap { span in
            guard case .other(let record) = span else { return nil }
            return record
        }
    }

    // MARK: Tracer

    @Test func `a span is in the trace of its parent, and one without a parent begins a trace`() throws {
        let child = tracer.startSpan("child", context: ServiceContext(sampled))
        let trace = try #require(child.context.trace)
        #expect(trace.traceID == 7 && trace.spanID != 8 && trace.flags == 1)
        child.end()
        tracer.startSpan("root", context: ServiceContext.topLevel).end()
        let ended = take(upTo: 10)
        #expect(ended.map(\.name) == ["child", "root"])
        #expect(ended.map(\.parent) == [8, nil])
        #expect(ended[1].context.traceID != 7 && ended[1].context.isSampled)
        #expect(ended.allSatisfy { $0.start <= $0.end })
    }

    @Test func `what its beginner does not record is not recorded, and its context goes on unchanged`() {
        let span = tracer.startSpan("quiet", context: ServiceContext(unsampled))
        #expect(!span.isRecording && span.context.trace == unsampled)
        span.end()
        #expect(queue.figures == SpanQueue.Figures())
    }

    @Test func `a span ends once`() {
        let span = tracer.startSpan("a", context: ServiceContext(sampled))
        span.end()
        span.attributes["late"] = 1
        span.end()
        #expect(queue.figures.waiting == 1)
        #expect(take(upTo: 1).first?.attributes.isEmpty == true)
    }

    @Test func `a clock that is set back makes no span that ends before it began`() {
        let start = DefaultTracerClock.Timestamp(nanosecondsSinceEpoch: 100)
        let span = tracer.startSpan("a", context: ServiceContext(sampled), at: start)
        span.end(at: DefaultTracerClock.Timestamp(nanosecondsSinceEpoch: 50))
        #expect(take(upTo: 1).first?.end == 100)
    }

    private struct Fields: Extractor, Injector {
        func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
        func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }
    }

    @Test func `libraries that use swift-distributed-tracing carry the trace along`() {
        var fields: [String: String] = [:]
        tracer.inject(ServiceContext(sampled), into: &fields, using: Fields())
        #expect(fields == ["traceparent": "\(sampled)"])
        tracer.inject(ServiceContext(stated), into: &fields, using: Fields())
        #expect(fields == ["traceparent": "\(sampled)", "tracestate": #"a="1""#])
        var context = ServiceContext.topLevel
        tracer.extract(fields, into: &context, using: Fields())
        #expect(context.trace == stated)
        tracer.extract(["traceparent": "nonsense"], into: &context, using: Fields())
        #expect(context.trace == nil)
    }

    // MARK: Bounds

    @Test func `a full queue drops new spans and counts them`() {
        for number in 0..<5 { tracer.startSpan("\(number)", context: ServiceContext(sampled)).end() }
        #expect(queue.figures == SpanQueue.Figures(droppedQueue: 2, waiting: 3))
        #expect(take(upTo: 2).map(\.name) == ["0", "1"])
        queue.settle(exported: 1, dropped: 1)
        #expect(queue.figures == SpanQueue.Figures(exported: 1, droppedQueue: 2, droppedExport: 1, waiting: 1))
    }

    @Test func `what is put back goes first`() {
        for number in 0..<3 { tracer.startSpan("\(number)", context: ServiceContext(sampled)).end() }
        queue.putBack(queue.take(upTo: 2))
        #expect(take(upTo: 3).map(\.name) == ["0", "1", "2"])
    }

    @Test func `a full queue asks to be emptied at once`() async {
        for number in 0..<3 { tracer.startSpan("\(number)", context: ServiceContext(sampled)).end() }
        var wakeups = queue.wakeups.makeAsyncIterator()
        #expect(await wakeups.next() != nil)
    }

    @Test func `links and events beyond the limits are counted in the span`() throws {
        let span = tracer.startSpan("a", context: ServiceContext(sampled))
        for _ in 0..<(SpanRecord.maxLinks + 2) {
            span.addLink(SpanLink(context: ServiceContext(sampled), attributes: [:]))
        }
        for _ in 0..<(SpanRecord.maxEvents + 3) { span.addEvent("e") }
        for number in 0..<(SpanRecord.maxAttributes + 4) { span.attributes["a\(number)"] = number }
        span.end()
        let record = try #require(take(upTo: 1).first)
        #expect(record.links.count == SpanRecord.maxLinks && record.events.count == SpanRecord.maxEvents)
        let json = try Self.span(of: [.other(record)])
        #expect(json["droppedLinksCount"] as? Int == 2)
        #expect(json["droppedEventsCount"] as? Int == 3)
        #expect(json["droppedAttributesCount"] as? Int == 4)
    }

    // MARK: Encoding

    private static func span(of spans: [EndedSpan]) throws -> [String: Any] {
        let request = OTLPRequest(spans, service: (name: "s\"hop", version: "1", instance: "i"))
        let data = Data(request.json.readableBytesView)
        let tree = try #require(try JSONSerialization.jsonObject(with: data) as? [String: [[String: Any]]])
        let scopes = try #require(tree["resourceSpans"]?.first?["scopeSpans"] as? [[String: Any]])
        return try #require((scopes.first?["spans"] as? [[String: Any]])?.first)
    }

    @Test func `a span is written as OTLP wants it`() throws {
        let start = DefaultTracerClock.Timestamp(nanosecondsSinceEpoch: 1_764_520_000_123_456_789)
        let span = tracer.startSpan("publish \"a\"", context: ServiceContext(sampled), ofKind: .producer, at: start)
        span.attributes["text"] = "a\nb"
        span.attributes["number"] = 5
        span.attributes["share"] = 0.5
        span.attributes["endless"] = Double.infinity
        span.attributes["yes"] = true
        span.attributes["list"] = ["a", "b"]
        span.setStatus(SpanStatus(code: .error, message: "no"))
        span.end(at: start)
        let json = try Self.span(of: queue.take(upTo: 1))
        #expect(json["traceId"] as? String == "00000000000000000000000000000007")
        #expect(json["parentSpanId"] as? String == "0000000000000008")
        #expect((json["spanId"] as? String)?.utf8.count == 16)
        #expect(json["startTimeUnixNano"] as? String == "1764520000123456789")
        #expect(json["name"] as? String == "publish \"a\"" && json["kind"] as? Int == 4 && json["flags"] as? Int == 1)
        let status = try #require(json["status"] as? [String: Any])
        #expect(status["code"] as? Int == 2 && status["message"] as? String == "no")
        let attributes = try #require(json["attributes"] as? [[String: Any]])
        let values = Dictionary(
            uniqueKeysWithValues: attributes.compactMap { attribute in
                (attribute["key"] as? String).map { ($0, attribute["value"] as? [String: Any] ?? [:]) }
            }
        )
        #expect(values["text"]?["stringValue"] as? String == "a\nb")
        #expect(values["number"]?["intValue"] as? String == "5")
        #expect(values["share"]?["doubleValue"] as? Double == 0.5)
        #expect(values["endless"]?["stringValue"] as? String == "inf")
        #expect(values["yes"]?["boolValue"] as? Bool == true)
        let list = values["list"]?["arrayValue"] as? [String: [[String: String]]]
        #expect(list?["values"]?.map { $0["stringValue"] } == ["a", "b"])
    }

    private static let publish = PublishSpan(
        trace: TraceContext(traceID: .max, spanID: .max, flags: 3),
        parent: .max,
        messages: 1,
        messageID: "a\"b",
        connection: .max,
        start: .max
    )

    private static func attributes(_ span: [String: Any]) throws -> [String: String] {
        let attributes = try #require(span["attributes"] as? [[String: Any]])
        return Dictionary(
            uniqueKeysWithValues: attributes.compactMap { attribute in
                guard let key = attribute["key"] as? String, let value = attribute["value"] as? [String: Any],
                    value.count == 1
                else { return nil }
                return (key, value.values.first as? String ?? "")
            }
        )
    }

    @Test func `the span of a publish is written as OTLP wants it, also at its longest`() throws {
        var receipt = PublishReceipt(offset: .max, duplicates: .max, subscribers: .max)
        receipt.stored = .replicatedUnsynced
        let topic = Array(jsonString(String(repeating: "\"", count: 255)).utf8)
        let ended = Self.publish.ended(topic, .published(receipt), at: 5)
        let json = try Self.span(of: [.publish(ended)])
        #expect(json["traceId"] as? String == String(repeating: "f", count: 32))
        #expect(json["spanId"] as? String == "ffffffffffffffff")
        #expect(json["parentSpanId"] as? String == "ffffffffffffffff")
        #expect(json["name"] as? String == "publish " + String(repeating: "\"", count: 255))
        #expect(json["kind"] as? Int == 4 && json["flags"] as? Int == 3 && json["status"] == nil)
        #expect(json["startTimeUnixNano"] as? String == "18446744073709551615")
        #expect(json["endTimeUnixNano"] as? String == "18446744073709551615")
        #expect(
            try Self.attributes(json) == [
                "messaging.system": "apus", "messaging.operation.name": "publish", "messaging.operation.type": "send",
                "messaging.destination.name": String(repeating: "\"", count: 255), "messaging.message.id": "a\"b",
                "apus.connection.id": "18446744073709551615", "apus.offset": "18446744073709551615",
                "apus.subscribers": "9223372036854775807", "apus.duplicates": "9223372036854775807",
                "apus.stored": "replicated-unsynced",
            ]
        )
    }

    @Test func `a publish that came to nothing says why`() throws {
        let failed = Self.publish.ended(Array(#""t""#.utf8), .failed("NO", message: "it \"is\" so"), at: 5)
        let json = try Self.span(of: [.publish(failed), .publish(failed)])
        let status = try #require(json["status"] as? [String: Any])
        #expect(status["code"] as? Int == 2 && status["message"] as? String == "it \"is\" so")
        #expect(try Self.attributes(json)["error.type"] == "NO")
    }

    @Test func `the span of a delivery has a link to each message's trace`() throws {
        let links = Array(repeating: TraceContext(traceID: .max, spanID: .max, flags: 3), count: TracedDrain.limit)
        let span = DeliverySpan(
            trace: TraceContext(traceID: 7, spanID: 9, flags: 1),
            links: [sampled] + links,
            topicJSON: Array(#""t""#.utf8),
            loop: "socket-12",
            messages: .max,
            subscriptions: 0,
            deliveries: 10,
            start: 1,
            end: 20
        )
        let json = try Self.span(of: [.delivery(span)])
        #expect(json["name"] as? String == "deliver t" && json["parentSpanId"] as? String == "0000000000000008")
        #expect(json["startTimeUnixNano"] as? String == "1" && json["endTimeUnixNano"] as? String == "20")
        let written = try #require(json["links"] as? [[String: Any]])
        #expect(written.count == links.count + 1)
        #expect(written.first?["traceId"] as? String == "00000000000000000000000000000007")
        #expect(written.last?["spanId"] as? String == "ffffffffffffffff" && written.last?["flags"] as? Int == 3)
        #expect(
            try Self.attributes(json) == [
                "messaging.system": "apus", "messaging.operation.name": "deliver", "messaging.operation.type": "send",
                "messaging.destination.name": "t", "messaging.batch.message_count": "18446744073709551615",
                "apus.subscriptions": "0", "apus.deliveries": "10", "apus.loop": "socket-12",
            ]
        )
    }

    @Test func `the state of a trace is in its spans and links, also at its longest`() throws {
        let values = (String(repeating: "\\", count: 255), String(repeating: "\"", count: 252))
        let long = try #require(TraceState("k=\(values.0),l=\(values.1)"))
        let trace = TraceContext(traceID: 7, spanID: 8, flags: 1, state: long)
        tracer.startSpan("child", context: ServiceContext(trace)).end()
        let publish = PublishSpan(trace: trace, parent: 1, messages: 2, messageID: "", start: 1)
        let delivery = DeliverySpan(
            trace: trace,
            links: Array(repeating: trace, count: TracedDrain.limit),
            topicJSON: Array(jsonString(String(repeating: "\"", count: 255)).utf8),
            loop: "socket-12",
            messages: .max,
            subscriptions: .max,
            deliveries: .max,
            start: .max,
            end: .max
        )
        let ended = publish.ended(delivery.topicJSON, .failed("NO"), at: 5)
        for span in [.publish(ended), .delivery(delivery)] + queue.take(upTo: 1) {
            let json = try Self.span(of: [span])
            #expect(json["traceState"] as? String == long.text)
            for link in json["links"] as? [[String: Any]] ?? [] { #expect(link["traceState"] as? String == long.text) }
        }
        #expect(try Self.span(of: [.delivery(delivery)])["links"] as? [Any] != nil)
    }

    @Test func `a publish that waits keeps its topic, for when it never comes again`() throws {
        let loop = LoopSpans(SpanSource(ServerConfiguration.Tracing(), queue: queue), loop: "socket-0")
        loop.keep(Self.publish, to: Array(#""orders""#.utf8), of: 3)
        let span = try #require(loop.takeWaiting(of: 3))
        #expect(span.topicJSON == Array(#""orders""#.utf8) && loop.takeWaiting(of: 3) == nil)
    }

    @Test func `ids of spans are all different, and none is 0`() {
        let ids = SpanIDs()
        let some = (0..<10_000).map { _ in ids.next() }
        #expect(Set(some).count == some.count && !some.contains(0))
    }

    @Test(arguments: [
        ("http://c:4318", "http://c:4318/v1/traces"), ("https://c/", "https://c/v1/traces"),
        ("http://[::1]:1/x", "http://[::1]:1/x"), ("", ""),
    ])
    func `an address without a path is the one of traces`(written: String, read: String) throws {
        #expect(try ValueCodec.collector.read(.text(written)) == read)
    }

    @Test(arguments: ["c:4318", "ftp://c", "http://", "http://u:p@c/", "http://c:0", "http://c:99999", "http://c/#a"])
    func `what is no address of a collector is refused`(text: String) {
        #expect(throws: ValueFault.self) { try ValueCodec.collector.read(.text(text)) }
    }
}
