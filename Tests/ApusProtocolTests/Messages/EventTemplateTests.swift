import ApusProtocol
import NIOCore
import Testing

@Suite struct EventTemplateTests {
    private static let time = Timestamp(milliseconds: 1_756_116_000_123)
    private static let timeText = "2025-08-25T10:00:00.123Z"
    private static let encodings = Dialect.allCases.flatMap { dialect in
        [EventEncoding.Detail.plain, .keyed, .positioned].flatMap { detail in
            [EventEncoding.Framing.webSocket, .eventStream, .eventStreamWithID, .deflated, .deflatedNarrow].map {
                framing in
                EventEncoding(dialect, detail, framing: framing)
            }
        }
    }

    /// The base frame of a message, as the log keeps it.
    private func frame(_ message: String, of template: EventTemplate) -> [UInt8] {
        var buffer = ByteBuffer()
        Array(message.utf8).withUnsafeBytes { template.append($0, time: Self.time, to: &buffer) }
        return Array(buffer.readableBytesView)
    }

    private func transcoded(
        _ frame: [UInt8],
        of template: EventTemplate,
        to encoding: EventEncoding,
        key: String?,
        offset: UInt64,
        behind before: String = ""
    ) -> [UInt8] {
        var buffer = ByteBuffer(string: before)
        frame.withUnsafeBytes {
            template.transcode($0, to: encoding, key: key.map { Array($0.utf8) }, offset: offset, into: &buffer)
        }
        return Array(buffer.readableBytesView)
    }

    /// What the contract says an event looks like. `topic` and `key` are quoted JSON strings.
    private func expected(
        _ message: String,
        topic: String,
        epoch: String,
        encoding: EventEncoding,
        key: String?,
        offset: UInt64
    ) -> [UInt8] {
        var json = #"{"type":"event","topic":\#(topic),"message":\#(message)"#
        if encoding.detail != .plain, let key { json += #","key":\#(key)"# }
        if encoding.detail == .positioned { json += #","offset":\#(offset)"# }
        json += #","\#(encoding.dialect == .base ? "ts" : "timestamp")":"\#(Self.timeText)"}"#
        switch encoding.framing {
        case .webSocket, .deflated, .deflatedNarrow:
            return textFrame(json)
        case .eventStream:
            return Array("event: message\ndata: \(json)\n\n".utf8)
        case .eventStreamWithID:
            return Array("event: message\nid: \(epoch):\(offset)\ndata: \(json)\n\n".utf8)
        }
    }

    @Test func `there are 30 encodings, all different, and each knows what it is`() {
        #expect(Set(Self.encodings).count == 30)
        for encoding in Self.encodings {
            let isDeflated = [.deflated, .deflatedNarrow].contains(encoding.framing)
            #expect(encoding.isDeflated == isDeflated && (encoding.framing.window != nil) == isDeflated)
            #expect(encoding.inflated == (isDeflated ? EventEncoding(encoding.dialect, encoding.detail) : encoding))
        }
        for window in [nil, .usual, .narrow] as [DeflateWindow?] {
            #expect(EventEncoding.Framing(window).window == window)
        }
        for dialect in Dialect.allCases {
            let encoding = EventEncoding(dialect, .positioned, framing: .eventStreamWithID)
            #expect(encoding.dialect == dialect)
            #expect(encoding.detail == .positioned && encoding.framing == .eventStreamWithID)
        }
        #expect(EventEncoding.base == EventEncoding(.base, .plain, framing: .webSocket))
        #expect(EventEncoding.v1.dialect == .v1 && EventEncoding.v1.detail == .plain)
    }

    @Test(arguments: encodings)
    func `an event has its bytes in every encoding`(encoding: EventEncoding) {
        let topics = [("orders", #""orders""#), ("a\"b\n/é", #""a\"b\n/é""#)]
        for (name, topicJSON) in topics {
            let template = EventTemplate(topic: name, epoch: "k3v9")
            for message in [#"{"id":"i","payload":{"a":[1, 2]}}"#, "{}", #"{ "payload":"é\n" }"#] {
                let base = frame(message, of: template)
                for key in [nil, #""k""#, #""a\"\u0000é""#] {
                    for offset in [1, 42, UInt64.max] {
                        let bytes = transcoded(base, of: template, to: encoding, key: key, offset: offset, behind: "x")
                        let right = expected(
                            message,
                            topic: topicJSON,
                            epoch: "k3v9",
                            encoding: encoding,
                            key: key,
                            offset: offset
                        )
                        #expect(bytes == Array("x".utf8) + right)
                    }
                }
            }
        }
    }

    @Test(arguments: encodings)
    func `sizes at which the frame's length changes its form are right on both sides`(encoding: EventEncoding) {
        let template = EventTemplate(topic: "t", epoch: "e")
        let empty =
            expected(
                "",
                topic: "\"t\"",
                epoch: "e",
                encoding: EventEncoding(encoding.dialect, encoding.detail),
                key: "\"k\"",
                offset: 7
            ).count - 2
        let base = expected("", topic: "\"t\"", epoch: "e", encoding: .base, key: nil, offset: 7).count - 2
        for payload in [124, 125, 126, 127, 128, 65_533, 65_534, 65_535, 65_536, 65_537, 65_545, 65_546] {
            // So large that the result has that payload, or that the frame it is made from has.
            for size in [payload - empty, payload - base] where size >= 2 {
                let message = "{" + String(repeating: " ", count: size - 2) + "}"
                let frame = frame(message, of: template)
                #expect(frame.count == template.frameSize(message: size))
                let bytes = transcoded(frame, of: template, to: encoding, key: "\"k\"", offset: 7)
                let right = expected(message, topic: "\"t\"", epoch: "e", encoding: encoding, key: "\"k\"", offset: 7)
                #expect(bytes == right, "\(payload) bytes")
            }
        }
    }

    @Test func `a base frame is its own base encoding, and its parts are those that were put in`() {
        let template = EventTemplate(topic: "täg", epoch: "e")
        for size in [2, 100, 200, 65_400, 65_500, 70_000] {
            let message = "{" + String(repeating: "x", count: size - 2) + "}"
            let frame = frame(message, of: template)
            #expect(transcoded(frame, of: template, to: .base, key: nil, offset: 1) == frame)
            frame.withUnsafeBytes { bytes in
                let parts = template.parts(of: bytes)
                #expect(String(decoding: parts.message, as: UTF8.self) == message)
                #expect(String(decoding: parts.time, as: UTF8.self) == Self.timeText)
            }
        }
    }

    // MARK: Event streams

    /// What a client makes of an event stream (HTML living standard, section 9.2.6): `data` of each event.
    private func data(of stream: [UInt8]) -> [String] {
        var events: [String] = []
        var lines: [String] = []
        let text = String(decoding: stream, as: UTF8.self)
        // Line ends by scalars: as a Character, \r\n is one.
        var line = String.UnicodeScalarView()
        var all: [String] = []
        var isAfterReturn = false
        for scalar in text.unicodeScalars {
            defer { isAfterReturn = scalar == "\r" }
            if scalar == "\n", isAfterReturn { continue }
            if scalar == "\n" || scalar == "\r" {
                all.append(String(line))
                line = String.UnicodeScalarView()
            } else {
                line.append(scalar)
            }
        }
        for line in all {
            if line.isEmpty {
                if !lines.isEmpty { events.append(lines.joined(separator: "\n")) }
                lines = []
            } else if line.hasPrefix("data: ") {
                lines.append(String(line.dropFirst(6)))
            }
        }
        return events
    }

    @Test(arguments: [
        "{\n}", "{\r}", "{\r\n}", "{\n\n}", "{\r\r\n\n}", "{\n \"payload\"\r\n:\r1,\n\"data: \":\"\\n\"\n}", "\n{}\n",
        "{ }", "{\"a\":\"\u{85}\u{2028}\"}",
    ])
    func `line ends within a message do not break the stream`(message: String) {
        let template = EventTemplate(topic: "t", epoch: "e")
        let frame = frame(message, of: template)
        for framing in [EventEncoding.Framing.eventStream, .eventStreamWithID] {
            for detail in [EventEncoding.Detail.plain, .keyed, .positioned] {
                let encoding = EventEncoding(.base, detail, framing: framing)
                let once = transcoded(frame, of: template, to: encoding, key: "\"k\"", offset: 3)
                // Each line end has become one; what is between them is as it was.
                let unbroken = message.unicodeScalars.map { $0 == "\r" ? "\n" : String($0) }.joined()
                let json =
                    #"{"type":"event","topic":"t","message":\#(unbroken)"#
                    + (detail == .plain ? "" : #","key":"k""#) + (detail == .positioned ? #","offset":3"# : "")
                    + #","ts":"\#(Self.timeText)"}"#
                #expect(data(of: once) == [json])
                #expect(data(of: once + once) == [json, json])
                #expect(Array(once.suffix(2)) == [0x0A, 0x0A])
            }
        }
    }

    @Test func `a frame of a WebSocket keeps the line ends`() {
        let template = EventTemplate(topic: "t", epoch: "e")
        let message = "{\r\n\"payload\" : 1\n}"
        let frame = frame(message, of: template)
        let bytes = transcoded(frame, of: template, to: EventEncoding(.v1, .positioned), key: nil, offset: 9)
        #expect(
            bytes
                == textFrame(
                    "{\"type\":\"event\",\"topic\":\"t\",\"message\":\(message),\"offset\":9,\"timestamp\":\"\(Self.timeText)\"}"
                )
        )
    }
}
