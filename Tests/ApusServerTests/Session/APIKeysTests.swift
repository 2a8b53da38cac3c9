import Testing

@testable import ApusServer

@Suite struct APIKeysTests {
    @Test func `no keys are no lock`() {
        #expect(!APIKeys([]).areRequired && APIKeys(["k"]).areRequired)
        #expect(!APIKeys([]).contains(""))
    }

    @Test(arguments: [
        ("secret", true), ("other", true), ("é", true), ("secre", false), ("secrets", false), ("Secret", false),
        ("", false), ("secret\u{0}", false), ("e\u{301}", false), ("secretother", false), ("othex", false),
    ])
    func `just the keys themselves open it, byte for byte`(candidate: String, opens: Bool) {
        #expect(APIKeys(["secret", "other", "é"]).contains(candidate) == opens)
    }

    @Test func `a candidate that is longer by a key's zeros is another one`() {
        #expect(!APIKeys(["a"]).contains("a" + String(repeating: "\u{0}", count: 256)))
        #expect(!APIKeys(["a" + String(repeating: "\u{0}", count: 256)]).contains("a"))
    }
}
