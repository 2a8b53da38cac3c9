import ApusClient
import Foundation
import NIOCore
import Testing

@testable import ApusVerify

@Suite("Messages of the server")
struct ArrivalTests {
    private let message = MessageLabel(stream: 3, sequence: 17)

    private func event(_ payload: String, offset: String = ",\"offset\":42", topic: String = "t") -> String {
        "{\"type\":\"event\",\"topic\":\"\(topic)\",\"message\":{\"id\":\"i\",\"payload\":\(payload)}\(offset),\"ts\":\"\"}"
    }

    @Test func `carry the offset and the label`() {
        let payload = VerifyPayload(label: message, size: 100).json
        let seen = Arrival.event(SeenEvent(offset: 42, label: message))
        #expect(Arrival(text: event(payload), topic: "t") == seen)
        #expect(Arrival(text: event(payload, offset: ""), topic: "t", knownOffset: 42) == seen)
        let damaged = payload.replacingOccurrences(of: "\"pad\":\"", with: "\"pad\":\"!")
        #expect(Arrival(text: event(damaged), topic: "t") == .event(SeenEvent(offset: 42, label: nil)))
    }

    @Test(arguments: ["", "{}", "[]", "{\"type\":\"ack\",\"status\":\"ok\"}"])
    func `that break the rules are faults`(text: String) {
        #expect(isFault(Arrival(text: text, topic: "t")))
        #expect(isFault(Arrival(text: event("1", offset: ""), topic: "t")))
        #expect(isFault(Arrival(text: event("1"), topic: "t", knownOffset: 43)))
        #expect(isFault(Arrival(text: event("1", topic: "u"), topic: "t")))
    }

    private func isFault(_ arrival: Arrival?) -> Bool {
        if case .fault = arrival { true } else { false }
    }

    @Test func `tell what is missing`() {
        let ack =
            #"{"type":"ack","topic":"t","status":"ok","epoch":"e","offset":7,"recovered":false,"missed":{"from":3,"to":7}}"#
        let start = Arrival.Start(position: LogPosition(epoch: "e", offset: 7), recovered: false, missed: 3...7)
        #expect(Arrival(text: ack, topic: "t") == .started(start))
        let drop = #"{"type":"info","topic":"t","msg":"messages_dropped","dropped":2,"from":4,"to":5,"ts":""}"#
        #expect(Arrival(text: drop, topic: "t") == .dropped(count: 2, from: 4, to: 5))
        let gap =
            #"{"type":"info","topic":"t","msg":"not_recovered","epoch":"e","offset":7,"recovered":false,"missed":{"from":3,"to":7}}"#
        #expect(Arrival(text: gap, topic: "t") == .started(start))
        #expect(Arrival(text: #"{"type":"info","msg":"ping"}"#, topic: "t") == nil)
        #expect(Arrival(text: #"{"type":"info","topic":"t","msg":"topic_deleted"}"#, topic: "t") == .topicDeleted)
        let error = #"{"type":"error","error":{"code":"TOPIC_NOT_FOUND","message":"m"}}"#
        #expect(Arrival(text: error, topic: "t") == .ended(code: "TOPIC_NOT_FOUND"))
    }
}

@Suite("Event streams")
struct SSEParserTests {
    private static let stream =
        "retry: 2000\nid: e:0\n\n: comment\n\nevent: message\r\nid: e:1\r\ndata: {\"a\":\r\ndata:1}\r\n\r\ndata\n\n"
    private static let frames = [
        SSEFrame(event: "", id: "e:0", data: nil),
        SSEFrame(event: "message", id: "e:1", data: "{\"a\":\n1}"),
        SSEFrame(event: "", id: nil, data: ""),
    ]

    @Test(arguments: [1, 2, 3, 7, 1_000])
    func `are the same frames however they are cut`(size: Int) throws {
        var parser = SSEParser()
        var frames: [SSEFrame] = []
        var rest = ByteBuffer(string: Self.stream)
        while let piece = rest.readSlice(length: min(size, rest.readableBytes)), piece.readableBytes > 0 {
            frames += try parser.receive(piece)
        }
        #expect(frames == Self.frames)
    }

    @Test func `are bounded`() throws {
        var parser = SSEParser(limit: 10)
        #expect(throws: SSEParser.TooLong.self) { try parser.receive(ByteBuffer(string: "data: 0123456789")) }
        parser = SSEParser(limit: 10)
        let line = ByteBuffer(string: "data: 0\n")
        #expect(throws: SSEParser.TooLong.self) { for _ in 0..<20 { _ = try parser.receive(line) } }
    }

    @Test func `are resumed by a header or a query, and ids are positions`() throws {
        let address = try ServerAddress("http://h")
        let reader = SSEReader(address: address, credential: Credential(), topic: "t", clientID: "c", queue: 5)
        let position = LogPosition(epoch: "a:b", offset: 9)
        let byHeader = reader.request(after: position, usesQuery: false)
        #expect(byHeader.path == "/topics/t/events?client_id=c&queue=5")
        #expect(byHeader.headers.contains { $0 == ("Last-Event-ID", "a:b:9") })
        #expect(reader.request(after: position, usesQuery: true).path.hasSuffix("&last_event_id=a:b:9"))
        #expect(SSEReader.position("a:b:9") == position)
        #expect(SSEReader.position("9") == nil)
        #expect(SSEReader.position("e:-1") == nil)
    }
}

@Suite("Pages")
struct PageTests {
    private func page(_ text: String) throws -> PollReader.Page {
        try JSONDecoder().decode(PollReader.Page.self, from: Data(text.utf8))
    }

    private func message(_ offset: Int) -> String {
        let payload = VerifyPayload(label: MessageLabel(stream: 0, sequence: UInt32(offset)), size: 3).json
        return "{\"offset\":\(offset),\"message\":{\"id\":\"i\",\"payload\":\(payload)},\"ts\":\"\"}"
    }

    @Test func `give a start, their events, and what is missing`() throws {
        let position = LogPosition(epoch: "e", offset: 4)
        let seen = [5, 6].map { offset in
            Arrival.event(SeenEvent(offset: offset, label: MessageLabel(stream: 0, sequence: UInt32(offset))))
        }
        let whole = try page(
            "{\"epoch\":\"e\",\"first\":1,\"last\":6,\"messages\":[\(message(5)),\(message(6))],\"next\":6}"
        )
        let start = Arrival.started(.init(position: position, recovered: true))
        #expect(PollReader.arrivals(whole, after: position, isFirst: true) == [start] + seen)
        #expect(PollReader.arrivals(whole, after: position, isFirst: false) == seen)
        let partial = try page(
            "{\"epoch\":\"e\",\"first\":5,\"last\":6,\"messages\":[\(message(5)),\(message(6))],\"next\":6,"
                + "\"recovered\":false,\"missed\":{\"from\":3,\"to\":4}}"
        )
        let missed = Arrival.Start(position: position, recovered: false, missed: 3...4)
        let before = LogPosition(epoch: "e", offset: 2)
        #expect(PollReader.arrivals(partial, after: before, isFirst: false) == [.started(missed)] + seen)
        let empty = try page("{\"epoch\":\"e\",\"first\":1,\"last\":0,\"messages\":[],\"next\":0}")
        let first = Arrival.Start(position: LogPosition(epoch: "e", offset: 0))
        #expect(PollReader.arrivals(empty, after: nil, isFirst: true) == [.started(first)])
    }

    @Test func `must say the truth about the next one`() throws {
        let wrong = try page("{\"epoch\":\"e\",\"first\":1,\"last\":9,\"messages\":[\(message(5))],\"next\":9}")
        let position = LogPosition(epoch: "e", offset: 4)
        let arrivals = PollReader.arrivals(wrong, after: position, isFirst: false)
        guard case .fault = arrivals.last else {
            Issue.record("\(arrivals)")
            return
        }
    }
}
