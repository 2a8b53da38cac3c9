import ApusProtocol
import Testing

@Suite struct CommandScannerErrorTests {
    static let id = "550e8400-e29b-41d4-a716-446655440000"
    /// The end of the message about a type that there is not.
    static let types = "; it must be subscribe, unsubscribe, publish, ping or auth"

    @Test(arguments: ["[]", "1", "\"x\"", "null", "true", " [{\"type\":\"ping\"}] "])
    func `what is no object is refused`(text: String) {
        #expect(Scanned(text).error == CommandError(message: "a command must be a JSON object"))
    }

    @Test(arguments: [
        (#"{}"#, "'type' is required"),
        (#"{"type":null}"#, "'type' is required"),
        (#"{"type":5}"#, "'type' must be a string"),
        (#"{"type":["ping"]}"#, "'type' must be a string"),
        (#"{"type":""}"#, "unknown 'type': ''\(types)"),
        (#"{"type":"Ping"}"#, "unknown 'type': 'Ping'\(types)"),
        (#"{"type":"pin"}"#, "unknown 'type': 'pin'\(types)"),
        (#"{"type":"pings"}"#, "unknown 'type': 'pings'\(types)"),
        (#"{"type":"ping\u0000"}"#, "unknown 'type': 'ping\u{0}'\(types)"),
        (#"{"type":"unsubscribed"}"#, "unknown 'type': 'unsubscribed'\(types)"),
        (#"{"type":"unsubscribe subscribe publish"}"#, "unknown 'type': 'unsubscribe subscribe publish'\(types)"),
        (#"{"type":"a\n\"é"}"#, "unknown 'type': 'a\n\"é'\(types)"),
        (#"{"type":"\ud800"}"#, "'type' must not hold a lone surrogate"),
        (#"{"type":"subscribe"}"#, "'topic' is required"),
        (#"{"type":"subscribe","topic":"","last_n":-1}"#, "'topic' must be a non-empty string"),
        (#"{"type":"subscribe","topic":5}"#, "'topic' must be a non-empty string"),
        (#"{"type":"subscribe","topic":"\uDC00x"}"#, "'topic' must not hold a lone surrogate"),
        (#"{"type":"subscribe","last_n":-1,"topic":"t"}"#, "'client_id' is required"),
        (#"{"type":"unsubscribe","topic":"t","client_id":1}"#, "'client_id' must be a non-empty string"),
        (
            #"{"type":"unsubscribe","topic":"t","client_id":"\ud83d\u0041"}"#,
            "'client_id' must not hold a lone surrogate"
        ),
        (#"{"type":"publish","message":5}"#, "'topic' is required"),
        (#"{"type":"publish","topic":"t"}"#, "'message' is required"),
        (#"{"type":"publish","topic":"t","message":null}"#, "'message' is required"),
        (#"{"type":"publish","topic":"t","message":"x"}"#, "'message' must be an object"),
        (#"{"type":"publish","topic":"t","message":{}}"#, "'message.id' is required and must be a UUID"),
        (#"{"type":"publish","topic":"t","message":{"id":null}}"#, "'message.id' is required and must be a UUID"),
        (#"{"type":"publish","topic":"t","message":{"id":"x"}}"#, "'message.id' must be a UUID"),
        (#"{"type":"publish","topic":"t","message":{"id":"\#(id)"}}"#, "'message.payload' is required"),
        (#"{"type":"auth"}"#, "'api_key' or 'token' is required"),
        (#"{"type":"auth","api_key":""}"#, "'api_key' must be a non-empty string"),
        (#"{"type":"auth","api_key":false}"#, "'api_key' must be a non-empty string"),
    ])
    func `a wrong field is named, and the request is echoed wherever it stands`(text: String, message: String) {
        #expect(Scanned(text).error == CommandError(message: message))
        let body = text.dropFirst().dropLast()
        let comma = body.isEmpty ? "" : ","
        for text in [#"{"request_id":"r1"\#(comma)\#(body)}"#, #"{\#(body)\#(comma)"request_id":"r1"}"#] {
            let scanned = Scanned(text)
            #expect(scanned.error?.message == message)
            #expect(scanned.raw(scanned.error?.requestID) == "\"r1\"")
        }
    }

    @Test func `an unknown type is shown by its first 64 characters`() {
        let type = String(repeating: "é", count: 65)
        #expect(Scanned(#"{"type":"\#(type)"}"#).error?.message == "unknown 'type': '\(type.prefix(64))'\(Self.types)")
        // One character to Swift, whatever its length.
        let marks = "e" + String(repeating: "\u{301}", count: 5_000)
        #expect(Scanned(#"{"type":"\#(marks)"}"#).error?.message.utf8.count ?? .max < 300)
    }

    @Test(arguments: [
        "\"\"", "\"r1\"", "1", "-1.5e3", "1e999", "\"\\u00e9\\n\"", "\"\\ud83d\\ude00\"", "0",
        "\"\(String(repeating: "x", count: 256))\"", "\"\(String(repeating: "é", count: 128))\"",
        "\"\(String(repeating: #"\u0041"#, count: 256))\"", String(repeating: "1", count: 256),
    ])
    func `a request_id comes back as the token that was sent`(token: String) {
        let scanned = Scanned(#"{"type":"ping","request_id": \#(token) }"#)
        #expect(scanned.raw(scanned.command?.requestID) == token)
    }

    @Test(arguments: [
        "\"\(String(repeating: "x", count: 257))\"", "\"\(String(repeating: "é", count: 129))\"",
        "\"\(String(repeating: #"\u0041"#, count: 257))\"", "\"\(String(repeating: #"\u20ac"#, count: 86))\"",
        String(repeating: "1", count: 257),
    ])
    func `a request_id over 256 bytes is refused and not echoed`(token: String) {
        #expect(
            Scanned(#"{"type":"ping","request_id":\#(token)}"#).error
                == CommandError(message: "'request_id' must be at most 256 bytes")
        )
    }

    @Test(arguments: ["true", "[]", "{}", "[\"r1\"]"])
    func `a request_id that is neither string nor number is refused before anything else`(token: String) {
        #expect(
            Scanned(#"{"type":"nonsense","request_id":\#(token)}"#).error
                == CommandError(message: "'request_id' must be a string or a number")
        )
    }

    @Test(arguments: [#""\ud800""#, #""a\udc00""#, #""\ud800\ud800""#, #""\ud800x\udc00""#, #""\ud83d\u0041""#])
    func `a request_id with a lone surrogate is refused`(token: String) {
        #expect(
            Scanned(#"{"type":"ping","request_id":\#(token)}"#).error
                == CommandError(message: "'request_id' must not hold a lone surrogate")
        )
    }

    @Test func `a client_id is measured in decoded bytes`() {
        let scanner = CommandScanner(maxClientID: 4)
        func error(_ clientID: String) -> String? {
            Scanned(#"{"type":"subscribe","topic":"t","client_id":"\#(clientID)"}"#, scanner: scanner).error?.message
        }
        #expect(error("1234") == nil)
        #expect(error(#"\u0031\u0032\n4"#) == nil)
        #expect(error(#"\ud83d\ude00"#) == nil)
        #expect(error("éé") == nil)
        #expect(error("12345") == "'client_id' must be at most 4 bytes")
        #expect(error(#"\u20acéx"#) == "'client_id' must be at most 4 bytes")
    }

    @Test func `lone surrogates in the message are forwarded, as nobody decodes them`() {
        let text = #"{"type":"publish","topic":"t","message":{"id":"\#(Self.id)","payload":"\ud800"}}"#
        #expect(Scanned(text).command?.kind == .publish)
    }

    @Test func `a decoded string is nil when it holds a lone surrogate`() {
        let bytes = Array(#""a\ud800b""#.utf8)
        bytes.withUnsafeBytes { bytes in
            #expect(JSONStringSpan(range: 1..<9, hasEscapes: true).string(in: bytes) == nil)
            #expect(JSONStringSpan(range: 1..<2, hasEscapes: false).string(in: bytes) == "a")
            #expect(JSONStringSpan(range: 1..<2, hasEscapes: true).string(in: bytes) == "a")
        }
    }
}
