import ApusProtocol
import Testing

/// The usual keys are known by their bytes, all others are read first: both ways must come to the same.
@Suite struct CommandKeyTests {
    private static let id = "550e8400-e29b-41d4-a716-446655440000"
    private static let keys = ["type", "topic", "message", "request_id", "id", "payload"]

    /// A publish with one of its keys written as given.
    private static func publish(_ key: String, as text: String, gap: String = "") -> String {
        func written(_ name: String) -> String { (name == key ? text : #""\#(name)""#) + gap + ":" + gap }
        let message = #"{\#(gap)\#(written("id"))"\#(id)"\#(gap),\#(gap)\#(written("payload"))1\#(gap)}"#
        return #"{\#(gap)\#(written("type"))"publish"\#(gap),\#(gap)\#(written("topic"))"t"\#(gap),"#
            + #"\#(gap)\#(written("message"))\#(message)\#(gap),\#(gap)\#(written("request_id"))"r"\#(gap)}"#
    }

    private static func requireWhole(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) {
        let scanned = Scanned(text)
        #expect(scanned.command?.kind == .publish, "\(text)", sourceLocation: sourceLocation)
        #expect(scanned.decoded(scanned.command?.topic) == "t", sourceLocation: sourceLocation)
        #expect(scanned.raw(scanned.command?.requestID) == #""r""#, sourceLocation: sourceLocation)
        #expect(scanned.raw(scanned.command?.message)?.contains(id) == true, sourceLocation: sourceLocation)
    }

    @Test(arguments: keys, ["", " ", "\n\t", String(repeating: " ", count: 20)])
    func `a key is known however it is written`(key: String, gap: String) {
        Self.requireWhole(Self.publish(key, as: "\"\(key)\"", gap: gap))
        for (index, scalar) in key.unicodeScalars.enumerated() {
            let escape = "\\u00" + String(scalar.value, radix: 16, uppercase: index.isMultiple(of: 2))
            var scalars = key.unicodeScalars.map { String($0) }
            scalars[index] = escape
            Self.requireWhole(Self.publish(key, as: "\"\(scalars.joined())\"", gap: gap))
        }
    }

    @Test(arguments: keys)
    func `a key that differs in one byte is another`(key: String) {
        let missing = [
            "type": "'type' is required", "topic": "'topic' is required", "message": "'message' is required",
            "id": "'message.id' is required and must be a UUID", "payload": "'message.payload' is required",
        ]
        for index in 0...key.utf8.count {
            var shorter = Array(key.utf8)
            if index < shorter.count { shorter.remove(at: index) }
            var longer = Array(key.utf8)
            longer.insert(UInt8(ascii: "_"), at: index)
            var other = Array(key.utf8)
            if index < other.count { other[index] ^= 1 }
            for bytes in [shorter, longer, other] where bytes != Array(key.utf8) {
                let scanned = Scanned(Self.publish(key, as: "\"\(String(decoding: bytes, as: UTF8.self))\""))
                #expect(scanned.error?.message == missing[key])
                #expect((scanned.command == nil) == (key != "request_id"))
                if key == "request_id" { #expect(scanned.command?.requestID == nil) }
            }
        }
    }

    @Test(arguments: keys)
    func `a key without its quotes or its colon is refused at that place`(key: String) throws {
        for text in ["\"\(key)", "\(key)\"", key] {
            #expect(!Scanned(Self.publish(key, as: text)).isJSON)
        }
        let whole = Self.publish(key, as: "\"\(key)\"")
        let end = try #require(whole.firstRange(of: "\"\(key)\":")).upperBound
        let offset = whole.utf8.distance(from: whole.startIndex, to: end) - 1
        var bytes = Array(whole.utf8)
        bytes[offset] = UInt8(ascii: ";")
        #expect(Scanned(bytes).error?.message == "not valid JSON: unexpected character at byte \(offset)")
    }

    @Test func `of a message given twice only the last counts, with its own members`() {
        let whole = #"{"id":"\#(Self.id)","payload":1}"#
        let rest = #""type":"publish","topic":"t""#
        #expect(Scanned(#"{"message":{"id":1},\#(rest),"message":\#(whole)}"#).command != nil)
        for last in ["{}", "[]", "{\"x\":\(whole)}", "[\(whole)]", "null", "1"] {
            #expect(Scanned(#"{"message":\#(whole),\#(rest),"message":\#(last)}"#).command == nil, "\(last)")
        }
    }

    @Test(arguments: [32, 36])
    func `a digit of a UUID that is none is found at every place`(size: Int) {
        let id = Array((size == 36 ? Self.id : Self.id.filter { $0 != "-" }).utf8)
        for index in id.indices {
            for byte in UInt8(0x21)...0x7E where byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") {
                var changed = id
                changed[index] = byte
                let isDash = id[index] == UInt8(ascii: "-")
                let isValid = isDash ? byte == UInt8(ascii: "-") : Character(Unicode.Scalar(byte)).isHexDigit
                let text = String(decoding: changed, as: UTF8.self)
                let scanned = Scanned(
                    #"{"type":"publish","topic":"t","message":{"payload":1,"id":"\#(text)"}}"#
                )
                #expect((scanned.command != nil) == isValid, "\(text)")
            }
        }
    }

    @Test func `a UUID with more or less than its digits is none, and ends only at its quote`() {
        for text in [Self.id + "0", String(Self.id.dropLast()), Self.id + #"\n"#, #"\u0035"# + Self.id] {
            let scanned = Scanned(#"{"type":"publish","topic":"t","message":{"id":"\#(text)","payload":1}}"#)
            #expect(scanned.error?.message == "'message.id' must be a UUID")
        }
        let whole = Array(Self.publish("type", as: #""type""#).utf8)
        for length in whole.indices {
            let expected = "not valid JSON: it ends too early, at byte \(length)"
            #expect(Scanned(Array(whole[..<length])).error?.message == expected)
        }
        let escaped = #"\u0035"# + Self.id.dropFirst()
        let scanned = Scanned(#"{"type":"publish","topic":"t","message":{"id":"\#(escaped)","payload":1}}"#)
        #expect(scanned.command?.kind == .publish)
    }
}
