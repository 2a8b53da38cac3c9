import ApusProtocol
import Foundation
import NIOCore
import Testing

@Suite struct JSONEscapeTests {
    private func escaped(_ text: String) -> String {
        var buffer = ByteBuffer()
        appendJSONString(text, to: &buffer)
        return String(buffer: buffer)
    }

    @Test(arguments: [
        ("", #""""#), ("orders", #""orders""#), ("a\"b\\c", #""a\"b\\c""#), ("\u{8}\t\n\u{C}\r", #""\b\t\n\f\r""#),
        ("\u{0}\u{1}\u{F}\u{10}\u{1A}\u{1F}", #""\u0000\u0001\u000f\u0010\u001a\u001f""#), ("/\u{7F}", "\"/\u{7F}\""),
        ("é€😀", #""é€😀""#), ("12345678", #""12345678""#), ("1234567\"", #""1234567\"""#),
        ("12345678\n12345678\n", #""12345678\n12345678\n""#),
    ])
    func `only what must be escaped is`(text: String, expected: String) {
        #expect(escaped(text) == expected)
    }

    @Test func `it appends to what is there`() {
        var buffer = ByteBuffer(string: "{")
        appendJSONString("a", to: &buffer)
        buffer.writeString(":")
        #expect(String(buffer: buffer) == "{\"a\":")
    }

    @Test func `any text comes back from Foundation and from the scanner`() throws {
        var generator = SplitMix64(seed: 5)
        for _ in 0..<2_000 {
            var text = "x"
            for _ in 0..<Int.random(in: 0...20, using: &generator) {
                let limit: UInt32 = [0x20, 0x80, 0x800, 0x10FFFF].randomElement(using: &generator) ?? 0
                text.unicodeScalars.append(Unicode.Scalar(UInt32.random(in: 0...limit, using: &generator)) ?? "?")
            }
            let token = escaped(text)
            let back = try JSONSerialization.jsonObject(with: Data(token.utf8), options: .fragmentsAllowed)
            #expect((back as? String).map { Array($0.unicodeScalars) } == Array(text.unicodeScalars))
            let scanned = Scanned("{\"type\":\"auth\",\"api_key\":\(token)}")
            #expect(scanned.decoded(scanned.command?.apiKey).map { Array($0.utf8) } == Array(text.utf8))
        }
    }
}
