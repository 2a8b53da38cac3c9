import ApusProtocol
import Testing

/// JSON as a tree.
@Suite struct JSONValueTests {
    @Test func `every kind of value is kept as it was written`() {
        let value = JSONValue(#" {"a" : [1e3, -0.50, true,false,null, "\u0071\n"], "a":{}, "\u00e9": ""} "#)
        guard case .object(let members)? = value else {
            Issue.record("no object")
            return
        }
        #expect(members.map(\.name) == ["a", "a", "é"])
        #expect(
            "\(members[0].value)"
                == #"array([ApusProtocol.JSONValue.number("1e3"), ApusProtocol.JSONValue.number("-0.50"), "#
                + #"ApusProtocol.JSONValue.boolean(true), ApusProtocol.JSONValue.boolean(false), ApusProtocol.JSONValue.null, "#
                + #"ApusProtocol.JSONValue.string("q\n")])"#
        )
        #expect("\(members[1].value)" == "object([])")
        #expect("\(members[2].value)" == #"string("")"#)
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", "{\"a\":1,}", "nul", "01", "\"\u{1}\"", "{} {}", "{\"a\" 1}", "'a'", "\"\\ud800\"", "NaN",
    ])
    func `what is not JSON is nothing`(text: String) {
        #expect(JSONValue(text) == nil)
    }

    @Test func `a text nests as deep as it may`() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(JSONValue(nested(64)) != nil)
        #expect(JSONValue(nested(65)) == nil)
        #expect(JSONValue(nested(100_000)) == nil)
        #expect(JSONValue(nested(3), maxDepth: 2) == nil)
    }
}

@Suite struct GzipTests {
    @Test(arguments: [0, 1, 1000, 100_000])
    func `what is compressed comes out again`(count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) }
        let packed = try #require(Gzip.compress(bytes))
        #expect(packed.prefix(3) == [0x1F, 0x8B, 8])
        // The last four bytes are the size (RFC 1952 section 2.3.1).
        let size = packed.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        #expect(size == count)
        #expect(count < 10_000 || packed.count < count / 5)
    }
}
