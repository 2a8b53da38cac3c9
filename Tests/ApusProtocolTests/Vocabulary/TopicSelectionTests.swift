import ApusProtocol
import Testing

@Suite("A selection of topics")
struct TopicSelectionTests {
    @Test(arguments: [
        ("a", "a", true), ("a", "b", false), ("a.*", "a.b", true), ("a.*", "a", false), ("a.*", "a.b.c", false),
        ("a.>", "a.b.c", true), ("a.>", "a", false), ("*.b", "a.*", true), ("*.b", "a.c", false), (">", "x", true),
        ("a.*.c", "a.>", true), ("a.*.c", "b.>", false), ("*", "a.b", false), ("*.>", "a.b.c", true),
        ("caf\u{E9}", "cafe\u{301}", false), ("a..b", "a.*.b", true), ("a*", "a*", true), ("a*", "a.*", false),
    ]
    )
    func `overlaps another when a topic can match both`(one: String, other: String, overlaps: Bool) {
        #expect(TopicSelection(one).overlaps(TopicSelection(other)) == overlaps)
        #expect(TopicSelection(other).overlaps(TopicSelection(one)) == overlaps)
    }
}
