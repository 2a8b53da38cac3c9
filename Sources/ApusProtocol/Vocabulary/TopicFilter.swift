/// A pattern of topic names, such as `orders.*.created` or `orders.>`.
///
/// Dots split names and patterns into tokens. `*` is a whole token and matches any one token. `>` is a whole token,
/// must be the last, and matches one or more tokens. Everything else is compared byte for byte. A token may be empty:
/// `a..b` is an allowed name of three tokens, and `a.*.b` matches it.
package struct TopicFilter: Sendable {
    /// One part between the dots.
    package enum Token: Hashable, Sendable {
        case literal(ExactText)
        /// `*`
        case one
        /// `>`
        case tail
    }

    private let exact: ExactText
    package let tokens: [Token]

    /// The pattern as given.
    package var text: String { exact.text }

    /// Parses a pattern of at most ``TopicName/maxSize`` bytes without control characters.
    ///
    /// Returns `nil` when `text` is not a pattern: it is too long, a `*` or `>` is not a whole token, a `>` is not the
    /// last token, or there is neither `*` nor `>`, so that it is a topic's name.
    package init?(_ text: String) {
        // Check the size first, so that a text of a megabyte costs nothing.
        guard
            text.utf8.count <= TopicName.maxSize,
            Self.isPattern(text),
            !TopicName.hasControls(text)
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

    /// Whether `name` contains a `*` or `>`, which no topic's name does.
    ///
    /// Such a text is a pattern if it is valid, and nothing else.
    package static func isPattern(_ name: String) -> Bool {
        name.utf8.withContiguousStorageIfAvailable(hasWildcard)
            ?? Array(name.utf8).withUnsafeBufferPointer(hasWildcard)
    }

    private static func hasWildcard(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        bytes.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: ">") }
    }

    /// Whether the pattern matches a topic of that name.
    package func matches(_ name: String) -> Bool {
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

extension TopicFilter {
    /// Whether a topic can match both patterns.
    package func overlaps(_ other: TopicFilter) -> Bool {
        for index in 0..<max(tokens.count, other.tokens.count) {
            guard index < tokens.count, index < other.tokens.count else { return false }
            switch (tokens[index], other.tokens[index]) {
            case (.tail, _), (_, .tail): return true
            case (.one, _), (_, .one): break
            case (.literal(let mine), .literal(let others)): if mine != others { return false }
            }
        }
        return true
    }
}

extension TopicFilter: Hashable {
    package static func == (lhs: TopicFilter, rhs: TopicFilter) -> Bool {
        lhs.exact == rhs.exact
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(exact)
    }
}

extension TopicFilter: CustomStringConvertible {
    package var description: String { text }
}

extension ExactText {
    /// The tokens of `name`: one more than it has dots, including empty ones.
    ///
    /// Splits bytes and not characters: as a `Character`, a dot followed by a combining accent would not be a dot.
    package static func tokens(of name: String) -> [ExactText] {
        name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map { part in
            ExactText(String(Substring(part)))
        }
    }
}
