/// One rule as it is written, with its placeholders: in a key, in a token's claim, or for anonymous clients.
package struct Rule: Hashable, Sendable {
    /// Its place in the list, counted from 1.
    package let number: Int
    package let isDeny: Bool
    package let actions: Actions
    /// Names and filters, in which `{sub}` and `{client_id}` stand for the subject.
    package let topics: [String]

    package init(number: Int, isDeny: Bool = false, actions: Actions, topics: [String]) {
        self.number = number
        self.isDeny = isDeny
        self.actions = actions
        self.topics = topics
    }

    /// What a topic of a rule means for `subject`; `nil` when it matches nothing.
    ///
    /// A subject that is missing or empty, or that has a dot or a wildcard in it, would change which topics a rule is
    /// about. So every topic that names the subject then matches nothing.
    static func pattern(of topic: String, subject: String?) -> TopicPattern? {
        let parts = parts(of: topic)
        guard parts.count > 1 else { return TopicPattern(topic) }
        guard let subject, !subject.isEmpty, !subject.utf8.contains(where: isStructure) else { return nil }
        return TopicPattern(parts.joined(separator: subject))
    }

    /// What is before, between and behind the placeholders of a topic.
    ///
    /// Found in one go, so that a subject with a placeholder in it stays as it is; and as bytes, because a brace with a
    /// combining accent behind it is no brace as a `Character`.
    private static func parts(of topic: String) -> [String] {
        var parts: [String] = []
        var (start, rest) = (topic.utf8.startIndex, topic.utf8[...])
        while !rest.isEmpty {
            if let placeholder = placeholders.first(where: { rest.starts(with: $0.utf8) }) {
                parts.append(String(topic[start..<rest.startIndex]))
                rest = rest.dropFirst(placeholder.utf8.count)
                start = rest.startIndex
            } else {
                rest = rest.dropFirst()
            }
        }
        return parts + [String(topic[start...])]
    }

    private static let placeholders = ["{sub}", "{client_id}"]

    private static func isStructure(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ".") || byte == UInt8(ascii: "*") || byte == UInt8(ascii: ">")
    }

    /// Whether a token of the topic looks like a placeholder but is none, and is therefore taken literally.
    static func hasUnknownPlaceholder(_ topic: String) -> Bool {
        topic.split(separator: ".").contains { token in
            token.hasPrefix("{") && token.hasSuffix("}") && !placeholders.contains(String(token))
        }
    }
}
