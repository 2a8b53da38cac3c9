import ApusProtocol

/// What a rule is about, and what a client asks for: the name of a topic, or a filter.
///
/// The algebra takes names to be unbounded. Where the limit of a name's length leaves a filter fewer names,
/// ``covers(_:)`` may therefore say no although it could say yes, never the other way round.
package struct TopicPattern: Hashable, Sendable {
    /// The name or filter as given.
    package let text: String
    private let tokens: [TopicFilter.Token]

    /// `>`, which matches every topic.
    package static let everything = TopicPattern(text: ">", tokens: [.tail])

    /// Returns `nil` when `text` is neither an allowed name of a topic nor a filter.
    package init?(_ text: String) {
        if TopicFilter.isPattern(text) {
            guard let filter = TopicFilter(text) else { return nil }
            self.init(text: text, tokens: filter.tokens)
        } else {
            guard TopicName.isAllowed(text) else { return nil }
            self.init(text: text, tokens: ExactText.tokens(of: text).map(TopicFilter.Token.literal))
        }
    }

    private init(text: String, tokens: [TopicFilter.Token]) {
        self.text = text
        self.tokens = tokens
    }

    /// Whether this is the name of a topic, without a wildcard.
    package var isName: Bool {
        tokens.allSatisfy { token in
            if case .literal = token { true } else { false }
        }
    }

    /// Whether it matches a topic of that name.
    package func matches(_ name: String) -> Bool {
        matches(ExactText.tokens(of: name))
    }

    /// Whether it matches a name that is split already.
    func matches(_ name: [ExactText]) -> Bool {
        guard tokens.last == .tail ? name.count >= tokens.count : name.count == tokens.count else { return false }
        return zip(tokens, name).allSatisfy { token, part in
            switch token {
            case .literal(let text): text == part
            case .one, .tail: true
            }
        }
    }

    /// Whether it matches every name that `other` matches.
    package func covers(_ other: TopicPattern) -> Bool {
        for (index, token) in tokens.enumerated() {
            guard index < other.tokens.count else { return false }
            switch (token, other.tokens[index]) {
            // At least one token is left in `other`, whatever it is.
            case (.tail, _): return true
            case (.one, .tail), (.literal, .one), (.literal, .tail): return false
            case (.one, _): continue
            case (.literal(let own), .literal(let its)):
                guard own == its else { return false }
            }
        }
        return tokens.count == other.tokens.count
    }

    /// Whether there is a name that both match.
    package func overlaps(_ other: TopicPattern) -> Bool {
        for (own, its) in zip(tokens, other.tokens) {
            switch (own, its) {
            case (.tail, _), (_, .tail): return true
            case (.one, _), (_, .one): continue
            case (.literal(let own), .literal(let its)):
                guard own == its else { return false }
            }
        }
        return tokens.count == other.tokens.count
    }
}

extension TopicPattern: CustomStringConvertible {
    package var description: String { text }
}
