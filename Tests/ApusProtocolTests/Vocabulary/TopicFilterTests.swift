import ApusProtocol
import Testing

@Suite struct TopicFilterTests {
    @Test(arguments: [
        "*", ">", "a.*", "a.>", "*.a", "*.*", "*.>", "a.*.b.>", "..*", ".>", "*.", "*..b", " .*", "é.*", "😀.>", "$.*",
        String(repeating: "a", count: 253) + ".*", String(repeating: "é", count: 126) + "a.*",
        String(repeating: "*.", count: 127) + ">", String(repeating: ".", count: 254) + ">",
    ])
    func `a pattern has whole tokens of star, or of greater-than at the end`(text: String) throws {
        let filter = try #require(TopicFilter(text))
        #expect(filter.text == text && filter.description == text)
        #expect(TopicFilter.isPattern(text) && !TopicName.isAllowed(text))
    }

    @Test(arguments: [
        "a*", "*a", "**", "a.b*", "*b.c", ">a", ">>", "a>", "*>", ">.a", "a.>.b", ">.>", ">.", ">.*", "a.*.b>",
        "*\u{301}", ">\u{301}", "*\n", "a\u{0}.*", "\t.>", "\u{7F}.*", "\u{85}.>", "*.\r\n",
        String(repeating: "a", count: 254) + ".*", String(repeating: "é", count: 127) + ".*",
        String(repeating: "*.", count: 10_000) + ">",
    ])
    func `what has a star or greater-than and is no pattern is nothing`(text: String) {
        #expect(TopicFilter.isPattern(text))
        #expect(TopicFilter(text) == nil)
        #expect(!TopicName.isAllowed(text))
    }

    @Test(arguments: ["", "a", "a.b", ".", "a..b", "＊", "﹡", "a.⁎", "＞", "a.›", "\u{226F}"])
    func `a name without star and greater-than is no pattern`(text: String) {
        #expect(!TopicFilter.isPattern(text))
        #expect(TopicFilter(text) == nil)
    }

    @Test(arguments: [
        ("*", ["a", "é", " "], ["a.b", ".", "a."]),
        (">", ["a", "a.b", ".", "a..b", "a.b.c.d"], []),
        ("orders.*", ["orders.eu", "orders."], ["orders", "orders.eu.de", "orders2.eu", "Orders.eu", ".orders"]),
        ("orders.>", ["orders.eu", "orders.eu.de", "orders.", "orders.."], ["orders", "order.eu", ".orders.eu"]),
        ("*.created", ["a.created", ".created"], ["created", "a.b.created", "a.created.b", "a.create"]),
        ("orders.*.created", ["orders.eu.created", "orders..created"], ["orders.created", "orders.eu.de.created"]),
        ("*.*", ["a.b", "."], ["a", "a.b.c", ".."]),
        ("*.>", ["a.b", "a.b.c", ".", ".."], ["a"]),
        ("a.*.>", ["a.b.c", "a.b.c.d", "a..", "a..."], ["a.b", "a", "b.b.c", "a."]),
        ("a..*", ["a..b", "a.."], ["a.b", "a.b.c", "a."]),
        (".*", [".a", "."], ["a", "a.b"]),
        ("*.", ["a.", "."], ["a", "a.b", ""]),
    ])
    func `a pattern matches names of its shape`(pattern: String, matched: [String], others: [String]) throws {
        let filter = try #require(TopicFilter(pattern))
        for name in matched { #expect(filter.matches(name), "\(name)") }
        for name in others { #expect(!filter.matches(name), "\(name)") }
    }

    @Test func `spellings that look the same are other tokens`() throws {
        let composed = try #require(TopicFilter("caf\u{E9}.*"))
        let decomposed = try #require(TopicFilter("cafe\u{301}.*"))
        #expect(composed.matches("caf\u{E9}.x") && !composed.matches("cafe\u{301}.x"))
        #expect(decomposed.matches("cafe\u{301}.x") && !decomposed.matches("caf\u{E9}.x"))
        #expect(composed != decomposed && Set([composed, decomposed]).count == 2)
        #expect(composed == TopicFilter("caf\u{E9}.*"))
        // A Greek question mark is canonically a semicolon, the kelvin sign a K.
        let semicolon = try #require(TopicFilter("a;.>"))
        #expect(!semicolon.matches("a\u{37E}.b"))
        let kelvin = try #require(TopicFilter("\u{212A}.*"))
        #expect(!kelvin.matches("K.x"))
    }

    @Test func `a dot is a dot whatever follows it`() throws {
        let filter = try #require(TopicFilter("a.*"))
        #expect(filter.matches("a.\u{301}"))
        #expect(filter.matches("a.\u{301}e"))
        let accent = try #require(TopicFilter("*.\u{301}b"))
        #expect(accent.matches("a.\u{301}b") && !accent.matches("a.b"))
    }
}
