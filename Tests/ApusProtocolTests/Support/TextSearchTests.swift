import Testing

@testable import ApusProtocol

@Suite("The search for a text")
struct TextSearchTests {
    @Test(arguments: [
        ("orders.eu", "EU", true), ("ORDERS", "rde", true), ("orders", "", true), ("", "a", false),
        ("ab", "abc", false),
        ("aabaabaaab", "aabaaab", true), ("ababac", "abac", true), ("abababab", "abaa", false), ("Straße", "ß", true),
        ("orders.EU", "eU", true), ("a", "ab", false), ("", "x", false),
    ])
    func `finds it whatever the case`(text: String, part: String, isThere: Bool) {
        #expect(TextSearch(part).isFound(in: text.utf8) == isThere)
    }

    @Test func `finds what a plain search finds, in all texts of two letters`() {
        let texts = (0...8).flatMap { size in
            (0..<1 << size).map { bits in String((0..<size).map { bits >> $0 & 1 == 0 ? "a" : "b" }) }
        }
        for part in texts where part.utf8.count <= 4 {
            let search = TextSearch(part)
            for text in texts {
                #expect(search.isFound(in: text.utf8) == (part.isEmpty || text.contains(part)))
            }
        }
    }
}
