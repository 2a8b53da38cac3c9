import ApusProtocol
import Foundation
import Testing

@Suite struct JSONGrammarTests {
    static let accepted = [
        "0", "-0", "10", "-1", "1.5", "0.0", "1e5", "1E+5", "0e-1", "-0.1e01", "true", "false", "null", "\"\"", "[]",
        "{}", " \t\r\n1 \t\r\n", "[1,2]", "[ ]", "{ }", "[[],{}]", "{\"\":{\"\":[]}}", "{\"a\":1 , \"b\" : 2}",
        #""\"\\\/\b\f\n\r\t\u00aF""#, #""\ud800""#, #""\uDC00\uD800""#, "\"\u{7F}\"", "\"é€😀\u{10FFFF}\"", "1e999",
        "123456789012345678901234567890", "\"12345678\"", "\"1234567\"", "\"1234567\\n\"", "\"12345678\\n\"",
    ]

    static let rejected = [
        "", " ", "{", "}", "[", "]", "\"", "{]", "[}", "[1}", "{\"a\":1]", "01", "-", "-01", "+1", ".5", "1.", "1.e5",
        "1e", "1e+", "0x10", "1_0", "NaN", "Infinity", "-Infinity", "tru", "truee", "True", "nul", "nulls", "fals",
        "[1,]", "[,1]", "[1 2]", "[1,,2]", "{,}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\" 1}", "{\"a\"::1}",
        "{a:1}", "{'a':1}", "{1:1}", "{null:1}", "{\"a\":1 \"b\":2}", "1 2", "{} {}", "[]]", "{}}", "{},", "'a'",
        #""\a""#, #""\u12""#, #""\u12g4""#, #""\u 123""#, #""\U0041""#, #""\""#, "\"\\", "\"a\n\"", "\"\u{0}\"",
        "\"\u{1F}\"", "\"12345678\u{1F}\"", "\"abc", "\"abcdefghijk", "\u{FEFF}{}", "{}\u{0}", "\u{0}", "\u{B}1",
        "\u{A0}1",
        "// c\n1", "/**/1", "[1]x", "{\"a\":1}\u{FEFF}", "{\"a\\u\":1}",
    ]

    @Test(arguments: accepted)
    func `what RFC 8259 allows is taken, alone and as a member`(text: String) {
        #expect(
            Scanned(text).error?.message
                == (text.contains("{") && !text.contains("[[")
                    ? "'type' is required" : "a command must be a JSON object")
        )
        #expect(Scanned("{\"type\":\"ping\",\"x\":\(text)}").command?.kind == .ping)
        #expect(Scanned("{\"x\":[\(text)],\"type\":\"ping\"}").command?.kind == .ping)
    }

    @Test(arguments: rejected)
    func `what RFC 8259 forbids is refused, alone and as a member`(text: String) {
        #expect(!Scanned(text).isJSON)
        #expect(Scanned(text).error?.requestID == nil)
        #expect(!Scanned("{\"type\":\"ping\",\"request_id\":1,\"x\":\(text)}").isJSON || text == "{},")
        #expect(!Scanned("{\"x\":[\(text)],\"type\":\"ping\"}").isJSON || ["", " ", "{},"].contains(text))
    }

    @Test(arguments: [
        ("{\"a\":tru}", "not valid JSON: unexpected character at byte 8"),
        ("{\"a\":", "not valid JSON: it ends too early, at byte 5"),
        ("{\"a\":01}", "not valid JSON: malformed number at byte 6"),
        ("{\"a\":\"\\x\"}", "not valid JSON: no such escape in a string, at byte 7"),
        ("{\"a\":\"\t\"}", "not valid JSON: a control character in a string must be escaped, at byte 6"),
        ("{} x", "not valid JSON: something follows the command, at byte 3"),
    ])
    func `a fault is named with its place`(text: String, message: String) {
        #expect(Scanned(text).error == CommandError(message: message))
    }

    @Test func `every prefix of a command is refused and reads nothing past its end`() {
        let text = Array(#"{"type":"publish","x":[-1.5e+3,true,false,null,"\u00e9\n",{"a":{}}],"é":"12345678"}"#.utf8)
        for length in text.indices {
            #expect(!Scanned(Array(text[..<length])).isJSON, "\(length) bytes")
        }
        #expect(Scanned(text).isJSON)
    }

    @Test(arguments: [1, 2, 63, 64, 65, 127, 128, 129, 1000, 1024])
    func `nesting is taken down to the limit and no deeper`(limit: Int) {
        let scanner = CommandScanner(maxDepth: limit)
        for depth in [limit, limit + 1] {
            // Arrays and objects take turns, so that every level's bit matters on the way out.
            let inner = depth - 1
            let opening = (0..<inner).map { $0 % 3 == 0 ? "{\"k\":" : "[" }.joined()
            let closing = (0..<inner).reversed().map { $0 % 3 == 0 ? "}" : "]" }.joined()
            let text = inner == 0 ? #"{"type":"ping"}"# : #"{"type":"ping","x":\#(opening)1\#(closing)}"#
            let scanned = Scanned(text, scanner: scanner)
            if depth == limit {
                #expect(scanned.command?.kind == .ping, "depth \(depth)")
            } else {
                #expect(scanned.error?.message.hasPrefix("nested too deep") == true, "depth \(depth)")
            }
        }
    }

    @Test func `an empty container counts as a level, and limits outside of 1…1024 are moved into it`() {
        #expect(Scanned(#"{"x":{}}"#, scanner: CommandScanner(maxDepth: 1)).error?.message.hasPrefix("nested") == true)
        #expect(Scanned(#"{"x":1}"#, scanner: CommandScanner(maxDepth: -5)).isJSON)
        let deep = String(repeating: "[", count: 100_000)
        #expect(!Scanned(deep, scanner: CommandScanner(maxDepth: .max)).isJSON)
        let most = String(repeating: "[", count: 1024) + String(repeating: "]", count: 1024)
        #expect(Scanned(most, scanner: CommandScanner(maxDepth: .max)).isJSON)
    }

    @Test func `invalid UTF-8 is refused unless the caller has checked it`() {
        let bytes = Array(#"{"type":"ping","x":"#.utf8) + [0x22, 0xC0, 0xAF, 0x22, 0x7D]
        #expect(Scanned(bytes).error?.message.hasPrefix("not valid UTF-8") == true)
        #expect(Scanned(Array(bytes.dropLast(3))).error?.message.hasPrefix("not valid UTF-8") == true)
        #expect(Scanned(bytes, knownValidUTF8: true).command?.kind == .ping)
    }
}

/// The scanner against Foundation's parser.
///
/// Where the two are known to differ, inputs are left out by what they contain, never by what the parsers say.
@Suite struct JSONOracleTests {
    private func foundationTakes(_ bytes: [UInt8]) -> Bool {
        (try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) != nil
    }

    /// Whether the two may differ: Foundation refuses lone surrogates and numbers that overflow a double, and takes
    /// text for UTF-16 or UTF-32 when it starts with a byte order mark or has zeros among its first four bytes.
    private func isComparable(_ bytes: [UInt8]) -> Bool {
        guard !bytes.prefix(4).contains(0), bytes.first.map({ $0 < 0x80 }) ?? true else { return false }
        let text = String(decoding: bytes, as: UTF8.self)
        return text.range(of: #"\\u[dD][89a-fA-F]|[eE]\+?[0-9]{3}|[0-9]{100}"#, options: .regularExpression) == nil
    }

    @Test(arguments: 0..<8)
    func `random JSON is taken, and damaged JSON is taken exactly when Foundation takes it`(seed: Int) {
        var json = RandomJSON(seed: UInt64(seed))
        var compared = 0
        var taken = 0
        for round in 0..<600 {
            let document = json.space() + (json.chance(70) ? json.object() : json.value()) + json.space()
            let bytes = Array(document.utf8)
            #expect(Scanned(bytes).isJSON, "seed \(seed), round \(round): \(document)")
            #expect(foundationTakes(bytes), "seed \(seed), round \(round): \(document)")
            for _ in 0..<4 {
                let damaged = json.mutate(bytes)
                guard isComparable(damaged) else { continue }
                let expected = foundationTakes(damaged)
                compared += 1
                taken += expected ? 1 : 0
                #expect(
                    Scanned(damaged).isJSON == expected,
                    "seed \(seed), round \(round): \(String(decoding: damaged, as: UTF8.self).debugDescription)"
                )
            }
        }
        // A generator that made everything incomparable, or all of one kind, would test nothing.
        #expect(compared > 1_500, "seed \(seed)")
        #expect(taken > 100 && taken < compared - 100, "seed \(seed)")
    }

    @Test func `strings decode to what Foundation decodes them to`() throws {
        var json = RandomJSON(seed: 77)
        for round in 0..<3_000 {
            let token = json.string()
            guard token != "\"\"" else { continue }
            let scanned = Scanned(#"{"type":"auth","api_key":\#(token)}"#)
            let expected = try JSONSerialization.jsonObject(with: Data(token.utf8), options: .fragmentsAllowed)
            let command = try #require(scanned.command, "round \(round): \(token)")
            let decoded = try #require(scanned.decoded(command.apiKey), "round \(round): \(token)")
            // As scalars: strings compare equal when only their normal forms do.
            #expect(
                Array(decoded.unicodeScalars) == Array(try #require(expected as? String).unicodeScalars),
                "\(token)"
            )
            #expect(command.apiKey.hasEscapes == token.contains("\\"))
        }
    }

    @Test func `the message of a publish is exactly the object that was written`() throws {
        var json = RandomJSON(seed: 99)
        for round in 0..<3_000 {
            let id = UUID().uuidString
            let message = #"{"id":"\#(id)",\#(json.space())"payload"\#(json.space()):\#(json.space())\#(json.value())}"#
            var members = [
                #""type":"publish""#, #""topic":"t""#, #""message":\#(json.space())\#(message)"#,
                #""request_id":\#(round)"#, #""x":\#(json.value())"#, #""":\#(json.object())"#,
            ]
            members.shuffle(using: &json.generator)
            let scanned = Scanned("{" + members.joined(separator: json.space() + "," + json.space()) + "}")
            let command = try #require(scanned.command, "\(members) \(String(describing: scanned.error))")
            #expect(scanned.raw(command.message) == message)
            #expect(scanned.raw(command.requestID) == "\(round)")
            #expect(scanned.decoded(command.topic) == "t")
        }
    }
}
