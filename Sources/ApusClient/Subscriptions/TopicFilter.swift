/// What a subscription asks for: the name of a topic, or a pattern of names.
///
/// Names are split at dots; in a pattern `*` is one token and a `>` at the end is one or more.
struct TopicFilter: Hashable {
    let text: String

    init(_ text: String) {
        self.text = text
    }

    var isPattern: Bool {
        // Neither may stand in a name.
        text.utf8.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: ">") }
    }

    private var tokens: [Substring] {
        text.split(separator: ".", omittingEmptySubsequences: false)
    }

    /// Whether there can be a topic that both ask for.
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

    /// Whether it asks for the topic of this name.
    func matches(_ topic: String) -> Bool {
        overlaps(TopicFilter(topic))
    }
}
