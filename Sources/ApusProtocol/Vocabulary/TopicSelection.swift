/// What a subscription asks for: the topic of a name, or all topics that match a pattern.
package enum TopicSelection: Hashable, Sendable {
    /// A name; also a text that is neither a name nor a pattern, which every server refuses.
    case name(ExactText)
    case pattern(TopicFilter)

    package init(_ text: String) {
        self = TopicFilter(text).map(Self.pattern) ?? .name(ExactText(text))
    }

    package var text: String {
        switch self {
        case .name(let name): name.text
        case .pattern(let filter): filter.text
        }
    }

    /// Whether the text is meant as a pattern, even if it is none.
    package var isPattern: Bool { TopicFilter.isPattern(text) }

    /// Whether the topic of that name is asked for.
    package func matches(_ name: String) -> Bool {
        switch self {
        case .name(let own): own == ExactText(name)
        case .pattern(let filter): filter.matches(name)
        }
    }

    /// Whether a topic can match both.
    package func overlaps(_ other: TopicSelection) -> Bool {
        switch (self, other) {
        case (.name(let mine), .name(let others)): mine == others
        case (.name(let name), .pattern(let filter)), (.pattern(let filter), .name(let name)): filter.matches(name.text)
        case (.pattern(let mine), .pattern(let others)): mine.overlaps(others)
        }
    }
}
