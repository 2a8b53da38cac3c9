/// What a subscription asks for: a topic name, or a pattern of names.
///
/// Names are split at dots. In a pattern, `*` matches one token, and `>` at the end matches one or more.
struct TopicFilter: Hashable {
    let text: String

    init(_ text: String) {
        self.text = text
    }

    var isPattern: Bool {
        // Neither character may occur in a name.
        text.utf8.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: ">") }
    }

    private var tokens: [Substring] {
        text.split(separator: ".", omittingEmptySubsequences: false)
    }

    /// Whether a topic can match both filters.
    func overlaps(_ other: TopicFilter) -> Bool {
        guard isPattern || other.isPattern else { return text == other.text }
        let (mine, others) = (tokens, other.tokens)
        for index in 0..<max(mine.count, others.count) {
            guard index < mine.count, index < others.count else { return false }
            if mine[index] == ">" || others[index] == ">" { return true }
            guard mine[index] == "*" || others[index] == "*" || mine[index] == others[index] else { return false }
        }
        return true
    }

    /// Whether the filter matches a topic name.
    func matches(_ topic: String) -> Bool {
        overlaps(TopicFilter(topic))
    }
}
