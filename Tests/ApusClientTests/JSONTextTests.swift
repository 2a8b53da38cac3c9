import Testing

@testable import ApusClient

@Suite("A payload")
struct PayloadTests {
    @Test(arguments: [#"{"a": 1.00}"#, "[1,2]", "5", "-0.0", "null", "true", #""x""#]
    )
    func `that is JSON is sent as it is written`(text: String) {
        #expect(PayloadRule.automatic.payload(for: text)?.text == text)
        #expect(PayloadRule.json.payload(for: text)?.text == text)
    }

    @Test(arguments: ["hello", "{", "01", "nul", "", "a\"b", "{'a':1}"])
    func `that is not JSON is sent as a string`(text: String) {
        #expect(PayloadRule.automatic.payload(for: text)?.stringValue == text)
        #expect(PayloadRule.json.payload(for: text) == nil)
    }

    @Test func `is a string when that is demanded`() {
        #expect(PayloadRule.string.payload(for: "5")?.text == #""5""#)
        #expect(PayloadRule.string.payload(for: #"{"a":1}"#)?.text == #""{\"a\":1}""#)
    }
}

@Suite("JSON text")
struct JSONTextTests {
    @Test(arguments: [
        "", "plain", "quote \" and \\ slash", "line\nfeed\ttab\r", "\u{0}\u{1}\u{1F}\u{7F}", "é 日本 👩‍👩‍👧", "/",
    ]
    )
    func `is a string that decodes to what it was made of`(value: String) throws {
        let json = JSONText.string(value)
        #expect(json.stringValue == value)
        #expect(try json.decode(String.self) == value)
    }

    @Test func `gives an object's members byte for byte`() {
        let json = JSONText(
            unchecked: #" { "a" : {"x": [1, "}"], "y":"\"" } ,"b":-1.50, "c":"] \\" , "d\u0031":null} "#
        )
        #expect(
            json.members?.mapValues(\.text) == [
                "a": #"{"x": [1, "}"], "y":"\"" }"#, "b": "-1.50", "c": #""] \\""#, "d1": "null",
            ]
        )
    }

    @Test func `gives the last of two members with one name`() {
        #expect(JSONText(unchecked: #"{"a":1,"a":2}"#).members?["a"]?.integerValue == 2)
    }

    @Test func `that nests deeply does not exhaust the stack`() {
        func members(_ depth: Int) -> [String: JSONText]? {
            let deep = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
            return JSONText(unchecked: "{\"a\":\(deep)}").members
        }
        // As deep as any server lets an event be.
        #expect(members(1_023)?["a"]?.text.utf8.count == 2_046)
        #expect(members(100_000) == nil)
    }

    @Test func `leaves out a name that is no Unicode, but not the others`() {
        let json = JSONText(unchecked: #"{"\ud800":1,"a":"\udc00","b":"x"}"#)
        #expect(json.members?.mapValues(\.text) == ["a": #""\udc00""#, "b": #""x""#])
        #expect(json.members?["a"]?.stringValue == nil)
    }

    @Test(arguments: [
        "", "[]", "1", "{", "{]", #"{"a"}"#, #"{"a":}"#, #"{"a":1"#, #"{"a":1}x"#, #"{"a":"1}"#, #"{a:1}"#,
        #"{"a":1,}"#,
    ]
    )
    func `has no members when it is no object`(text: String) {
        #expect(JSONText(unchecked: text).members == nil)
    }
}
