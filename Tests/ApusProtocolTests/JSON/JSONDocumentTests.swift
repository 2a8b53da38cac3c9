import ApusProtocol
import Testing

@Suite struct JSONDocumentTests {
    private func isValid(_ bytes: [UInt8], maxDepth: Int = JSONDocument.maxDepth) -> Bool {
        bytes.withUnsafeBytes { JSONDocument.isValid($0, maxDepth: maxDepth) }
    }

    @Test(arguments: JSONGrammarTests.accepted)
    func `what RFC 8259 allows is a document`(text: String) {
        #expect(Array(text.utf8).withUnsafeBytes { JSONDocument.isValid($0) })
    }

    @Test(arguments: JSONGrammarTests.rejected)
    func `what RFC 8259 forbids is none`(text: String) {
        #expect(!isValid(Array(text.utf8)))
    }

    @Test func `a document is UTF-8 to its end`() {
        #expect(!isValid([0x22, 0xC0, 0xAF, 0x22]))
        #expect(!isValid([0x22, 0xE2, 0x82, 0x22]))
        #expect(!isValid([0x22, 0xE2, 0x82]))
        #expect(isValid([0x22, 0xE2, 0x82, 0xAC, 0x22]))
    }

    @Test(arguments: [0, 1, 2, 128, 1024, 100_000])
    func `a document nests as deep as it may, and never deeper than 1,024`(limit: Int) {
        let most = min(limit, 1024)
        for depth in [most, most + 1] where depth > 0 {
            let text = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
            #expect(isValid(Array(text.utf8), maxDepth: limit) == (depth == most), "\(depth) of \(limit)")
        }
        #expect(isValid([0x31], maxDepth: limit))
    }
}
