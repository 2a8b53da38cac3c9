import Testing

@testable import ApusLoad

struct ApusWireProtocolTests {
    private static let handshake =
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n"
        + "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

    /// A server's frame.
    private func frame(_ text: String, opcode: UInt8 = 1) -> [UInt8] {
        let bytes = Array(text.utf8)
        switch bytes.count {
        case ..<126: return [0x80 | opcode, UInt8(bytes.count)] + bytes
        case ..<65_536: return [0x80 | opcode, 126, UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
        default:
            let length = (0..<8).map { UInt8(truncatingIfNeeded: bytes.count >> (56 - 8 * $0)) }
            return [0x80 | opcode, 127] + length + bytes
        }
    }

    private func event(_ mark: LoadMark, padding: Int = 60) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: LoadMark.byteCount)
        bytes.withUnsafeMutableBytes { mark.write(to: $0.baseAddress.unsafelyUnwrapped) }
        let payload = String(decoding: bytes, as: UTF8.self) + String(repeating: "p", count: padding)
        return frame(
            """
            {"type":"event","topic":"t000000","message":{"id":"x","payload":"\(payload)"},"ts":"2026-11-21T10:00:00.123Z"}
            """
        )
    }

    private func info(_ text: String) -> [UInt8] {
        frame("{\"type\":\"info\",\"topic\":\"t\",\"msg\":\(text),\"ts\":\"x\"}")
    }

    /// Gives a stream to a parser in pieces, as an engine would; what it said, and what it answered.
    private func parse(
        _ stream: [UInt8],
        role: LoadConnection.Role,
        pieces: [Int]
    ) -> (events: [LoadEvent], texts: [String], output: [UInt8]) {
        var parser = ApusWireProtocol(host: "h").makeParser()
        var connection = LoadConnection(role: role, number: 0, topic: "t000000")
        var events = LoadEvents()
        var output: [UInt8] = []
        parser.begin(&connection, output: &output)
        var rest: [UInt8] = []
        var start = 0
        for end in pieces + [stream.count] {
            rest += stream[start..<end]
            start = end
            let used = rest.withUnsafeBytes {
                parser.parse($0, connection: &connection, events: &events, output: &output)
            }
            rest.removeFirst(min(used, rest.count))
        }
        return (events.all, events.texts, output)
    }

    private var subscriberStream: [UInt8] {
        Array(Self.handshake.utf8) + frame("{\"type\":\"ack\",\"request_id\":\"s\",\"topic\":\"t\",\"status\":\"ok\"}")
            + event(LoadMark(publisher: 3, sequence: 1, time: 77)) + frame("", opcode: 9)
            + info("\"messages_dropped\",\"dropped\":37") + event(LoadMark(publisher: 3, sequence: 39, time: 78))
            + info("\"ping\"") + event(LoadMark(publisher: 65_535, sequence: 1 << 47, time: .max), padding: 70_000)
    }

    private let subscriberEvents = [
        LoadEvent(.ready),
        LoadEvent(.delivery, 3 << 48 | 1, 77),
        LoadEvent(.dropped, 37),
        LoadEvent(.delivery, 3 << 48 | 39, 78),
        LoadEvent(.other),
        LoadEvent(.delivery, 65_535 << 48 | 1 << 47, .max),
    ]

    @Test func `a subscriber's stream is read the same wherever it is split`() {
        let stream = subscriberStream
        #expect(parse(stream, role: .subscriber, pieces: []).events == subscriberEvents)
        // Every place in what is small, some in the message that is large.
        for place in Array(1..<1_200) + [4_000, 10_000, 70_000, stream.count - 1] {
            let parsed = parse(stream, role: .subscriber, pieces: [place])
            #expect(parsed.events == subscriberEvents, "split at \(place)")
        }
        #expect(parse(stream, role: .subscriber, pieces: Array(1..<stream.count)).events == subscriberEvents)
    }

    @Test func `of a large message no more than its beginning is kept`() {
        var parser = ApusWireProtocol(host: "h").makeParser()
        var connection = LoadConnection(role: .subscriber, number: 0, topic: "t")
        var events = LoadEvents()
        var output: [UInt8] = []
        parser.begin(&connection, output: &output)
        let stream = subscriberStream
        let half = stream.count - 30_000
        let used = stream[..<half].withUnsafeBytes {
            parser.parse($0, connection: &connection, events: &events, output: &output)
        }
        #expect(used == half)
        #expect(events.all == Array(subscriberEvents.dropLast()))
        events.removeAll()
        let rest = stream[half...].withUnsafeBytes {
            parser.parse($0, connection: &connection, events: &events, output: &output)
        }
        #expect(rest == 30_000)
        #expect(events.all == [subscriberEvents[5]])
    }

    @Test func `a publisher's acks add up and errors have their text`() {
        let ack = frame("{\"type\":\"ack\",\"request_id\":\"0\",\"topic\":\"t\",\"status\":\"ok\",\"ts\":\"x\"}")
        let spaced = frame("{\"type\": \"ack\", \"topic\": \"t\"}")
        let error = frame("{\"type\":\"error\",\"error\":{\"code\":\"UNAVAILABLE\"}}")
        let stream = Array(Self.handshake.utf8) + ack + ack + spaced + error + ack
        let parsed = parse(stream, role: .publisher, pieces: [])
        #expect(
            parsed.events == [LoadEvent(.ready), LoadEvent(.ack, 3), LoadEvent(.error), LoadEvent(.ack, 1)]
        )
        #expect(parsed.texts.first?.contains("UNAVAILABLE") == true)
    }

    @Test func `pings are answered`() {
        let parsed = parse(subscriberStream, role: .subscriber, pieces: [])
        // A masked pong without payload is the last thing said.
        #expect(Array(parsed.output.suffix(6).prefix(2)) == [0x8A, 0x80])
    }

    @Test func `closes and broken frames end a connection with the reason`() {
        func last(_ bytes: [UInt8]) -> String? {
            let parsed = parse(Array(Self.handshake.utf8) + bytes, role: .publisher, pieces: [])
            #expect(parsed.events.last?.kind == .closed)
            return parsed.texts.last
        }
        #expect(last([0x88, 6, 3, 0xF1] + Array("GONE".utf8)) == "close 1009 GONE")
        #expect(last([0x81, 0x81, 0, 0, 0, 0, 1])?.contains("masked") == true)
        #expect(last([0xC1, 1, 1])?.contains("extension") == true)
        #expect(last([0x01, 1, 1])?.contains("fragmented") == true)
        #expect(last([0x81, 127, 255, 0, 0, 0, 0, 0, 0, 0])?.contains("64 MiB") == true)
        #expect(last([0x83, 1, 1])?.contains("kind 3") == true)
    }

    @Test func `a refused handshake is told with its status`() {
        let parsed = parse(Array("HTTP/1.1 401 Unauthorized\r\n\r\n".utf8), role: .publisher, pieces: [])
        #expect(parsed.texts.first?.contains("401 Unauthorized") == true)
        let wrong = Self.handshake.replacing("s3pP", with: "aaaa")
        #expect(parse(Array(wrong.utf8), role: .publisher, pieces: []).events.last?.kind == .closed)
    }

    @Test func `publishes have their numbers and are masked`() throws {
        let template = ApusWireProtocol(host: "h").publishTemplate(topic: "t-000000", payloadBytes: 100)
        var encoder = PublishEncoder(template, topics: 10, seed: 1)
        let room = ByteRoom(capacity: 16)
        encoder.encode(LoadMark(publisher: 5, sequence: 6, time: 7), topic: 9, number: 0xABC, to: room)
        encoder.encode(LoadMark(publisher: 5, sequence: 7, time: 8), topic: 0, number: 0xABD, to: room)
        #expect(room.count == 2 * encoder.byteCount)
        var bytes = Array(room.bytes.prefix(encoder.byteCount))
        #expect(bytes[0] == 0x81 && bytes[1] == 0x80 | 126)
        let key = Array(bytes[4..<8])
        bytes.removeFirst(8)
        let text = String(decoding: bytes.enumerated().map { $1 ^ key[$0 % 4] }, as: UTF8.self)
        #expect(text.hasPrefix("{\"type\":\"publish\",\"topic\":\"t-000009\",\"message\":{\"id\":"))
        #expect(text.contains("\"00000005-0000-4000-8000-000000000abc\""))
        #expect(text.contains("ld-mark:00050000000000060000000000000007"))
        #expect(text.hasSuffix("\"request_id\":\"0000000000000abc\"}"))
        let payload = try #require(text.split(separator: "\"payload\":").last?.split(separator: "}").first)
        #expect(payload.utf8.count == 100)
    }
}
