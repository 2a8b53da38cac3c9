/// A pattern of topic names, such as `orders.*.created` or `orders.>`.
///
/// Names and patterns are split at dots. `*` is one whole token and stands for any one token; `>` is one whole token,
/// the last, and stands for one or more. Everything else is compared byte for byte. Between two dots there may be
/// nothing: `a..b` is an allowed name of three tokens, and `a.*.b` matches it.
public struct TopicFilter: Sendable {
    /// One of the parts between the dots.
    enum Token: Hashable {
        case literal(ExactText)
        /// `*`
        case one
        /// `>`
        case tail
    }

    private let exact: ExactText
    let tokens: [Token]

    /// The pattern as it was given.
    public var text: String { exact.text }

    /// Reads a pattern of at most ``TopicName/maxSize`` bytes without control characters.
    ///
    /// `nil` when `text` is none: too long, a `*` or `>` that is not a whole token, a `>` that is not the last one, or
    /// neither in it, since that is a topic's name.
    public init?(_ text: String) {
        // The size comes first, so that nothing is spent on a text of a megabyte.
        guard
            text.utf8.count <= TopicName.maxSize,
            Self.isPattern(text),
            text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else { return nil }
        let parts = ExactText.tokens(of: text)
        var tokens: [Token] = []
        tokens.reserveCapacity(parts.count)
        for part in parts {
            guard tokens.last != .tail else { return nil }
            if !Self.isPattern(part.text) {
                tokens.append(.literal(part))
            } else if part.text.utf8.count == 1 {
                tokens.append(part == ExactText("*") ? .one : .tail)
            } else {
                return nil
            }
        }
        exact = ExactText(text)
        self.tokens = tokens
    }

    /// Whether `name` has a `*` or `>` anywhere, which no topic's name has: it is a pattern, if a valid one, or
    /// nothing.
    public static func isPattern(_ name: some StringProtocol) -> Bool {
        name.utf8.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: ">") }
    }

    /// Whether a topic with that name is one of those the pattern means.
    public func matches(_ name: String) -> Bool {
        let parts = ExactText.tokens(of: name)
        guard tokens.last == .tail ? parts.count >= tokens.count : parts.count == tokens.count else { return false }
        return zip(tokens, parts).allSatisfy { token, part in
            switch token {
            case .literal(let text): text == part
            case .one, .tail: true
            }
        }
    }
}

extension TopicFilter: Hashable {
    public static func == (lhs: TopicFilter, rhs: TopicFilter) -> Bool {
        lhs.exact == rhs.exact
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(exact)
    }
}

extension TopicFilter: CustomStringConvertible {
    public var description: String { text }
}

extension ExactText {
    /// The parts of `name` between its dots; one more than it has dots, the empty ones included.
    ///
    /// Split by bytes: as a `Character`, a dot with a combining accent after it would be no dot.
    static func tokens(of name: String) -> [ExactText] {
        name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map { part in
            ExactText(String(Substring(part)))
        }
    }
}
