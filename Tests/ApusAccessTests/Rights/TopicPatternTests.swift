import ApusAccess
import ApusTesting
import Testing

struct TopicPatternTests {
    /// Every name of one to four tokens over a small alphabet, the empty token included.
    static let names: [String] = {
        var names: [[String]] = ["a", "b", ""].map { [$0] }
        var longest = names
        for _ in 0..<3 {
            longest = longest.flatMap { name in ["a", "b", ""].map { name + [$0] } }
            names += longest
        }
        return names.map { $0.joined(separator: ".") }.filter { !$0.isEmpty }
    }()

    /// A name or a filter of at most three tokens, so that the names above have all of its differences.
    static func random(using random: inout SeededGenerator) -> TopicPattern {
        while true {
            var tokens: [String] = []
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                tokens.append(random.chance(35) ? "*" : random.chance(10) ? "" : random.chance(50) ? "a" : "b")
            }
            if random.chance(30) { tokens[tokens.count - 1] = ">" }
            if let pattern = TopicPattern(tokens.joined(separator: ".")) { return pattern }
        }
    }

    @Test func `A pattern is a name or a filter`() throws {
        for text in ["orders", "orders.*", "orders.>", ">", "*", "a..b", "ü"] {
            #expect(try #require(TopicPattern(text)).text == text)
        }
        for text in ["", "a*", "a.>.b", "**", "a\nb", String(repeating: "a", count: 256)] {
            #expect(TopicPattern(text) == nil, "\(text)")
        }
    }

    @Test(arguments: [
        (">", "a", true), (">", "a.b", true), (">", "*", true), (">", ">", true), ("*", ">", false), ("*", "*", true),
        ("a.>", "a.*", true), ("a.>", "a", false), ("a.>", "a.b.>", true), ("a.*", "a.>", false), ("a.*", "*.a", false),
        ("*.*", "a.>", false), ("*.>", "a.>", true), ("*.>", ">", false), ("a.b", "a.b", true), ("a.b", "a.*", false),
    ])
    func `A pattern covers another if it matches all of its names`(outer: String, inner: String, expected: Bool) throws
    {
        #expect(try #require(TopicPattern(outer)).covers(#require(TopicPattern(inner))) == expected)
    }

    @Test func `Different spellings of an accent are different names`() throws {
        let composed = try #require(TopicPattern("caf\u{E9}.>"))
        #expect(composed.matches("caf\u{E9}.menu"))
        #expect(!composed.matches("cafe\u{301}.menu"))
        #expect(try !composed.covers(#require(TopicPattern("cafe\u{301}.menu"))))
    }

    @Test func `Covering and overlapping agree with all names of a small alphabet`() {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<500 {
            let left = Self.random(using: &random)
            let right = Self.random(using: &random)
            let both = Self.names.filter { left.matches($0) && right.matches($0) }
            let rightOnly = Self.names.filter { !left.matches($0) && right.matches($0) }
            // The alphabet is small: `*` also stands for tokens that it does not have.
            let coversMore = Self.other(right).contains { right.matches($0) && !left.matches($0) }
            #expect(left.covers(right) == (rightOnly.isEmpty && !coversMore), "\(left) covers \(right)")
            #expect(left.overlaps(right) == !both.isEmpty, "\(left) overlaps \(right)")
        }
    }

    /// Names of a pattern with a token that no other pattern has in place of its wildcards.
    static func other(_ pattern: TopicPattern) -> [String] {
        let name = pattern.text.replacing("*", with: "z").replacing(">", with: "z")
        return [name, name + ".z", name + ".z.z"]
    }
}
