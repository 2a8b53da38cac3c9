import Testing

@testable import ApusProtocol

@Suite struct DecimalTextTests {
    @Test(arguments: [0, 1, 9, 10, 99, 100, 12_345, UInt64.max - 1, .max])
    func `a number is written in as many digits as it takes`(number: UInt64) {
        let text = DecimalText(number)
        #expect(text.withBytes { String(decoding: $0, as: UTF8.self) } == "\(number)")
        #expect(text.count == "\(number)".utf8.count)
    }

    @Test(arguments: ["", "plain", #"a "quoted" \ one"#, "line\nbreak", "Zürich 🚆", String(repeating: "x", count: 300)])
    func `a JSON string is the same as bytes and as text`(text: String) {
        #expect(jsonBytes(text) == Array(jsonString(text).utf8))
    }
}
