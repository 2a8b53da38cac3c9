/// The rules for names and patterns of topics, written once more in the plainest way, so that the product's code is not
/// its own judge.
enum PlainRules {
    static func tokens(_ text: String) -> [[UInt8]] {
        var tokens: [[UInt8]] = [[]]
        for byte in text.utf8 {
            if byte == UInt8(ascii: ".") { tokens.append([]) } else { tokens[tokens.count - 1].append(byte) }
        }
        return tokens
    }

    static func hasWildcard(_ text: String) -> Bool { text.utf8.contains(where: isWildcard) }

    static func isName(_ text: String) -> Bool {
        !text.isEmpty && isShortAndPlain(text) && !hasWildcard(text)
    }

    static func isFilter(_ text: String) -> Bool {
        guard isShortAndPlain(text), hasWildcard(text) else { return false }
        let tokens = tokens(text)
        return tokens.enumerated().allSatisfy { index, token in
            guard token.contains(where: isWildcard) else { return true }
            return token == [UInt8(ascii: "*")] || token == [UInt8(ascii: ">")] && index == tokens.count - 1
        }
    }

    /// Whether a pattern, which may be a name, matches a name.
    static func matches(_ pattern: String, _ name: String) -> Bool {
        var (own, its) = (tokens(pattern)[...], tokens(name)[...])
        while let token = own.popFirst() {
            guard let part = its.popFirst() else { return false }
            switch token {
            case [UInt8(ascii: ">")]: return true
            case [UInt8(ascii: "*")]: continue
            default: guard token == part else { return false }
            }
        }
        return its.isEmpty
    }

    /// A name that both patterns match, if there is one.
    static func witness(_ one: String, _ other: String) -> String? {
        let (mine, others) = (tokens(one), tokens(other))
        var name: [[UInt8]] = []
        for index in 0..<max(mine.count, others.count) {
            let (a, b) = (literal(mine, index), literal(others, index))
            guard let a, let b else { return nil }
            if !a.isEmpty, !b.isEmpty, a[0] != b[0] { return nil }
            name.append((a + b).first ?? [UInt8(ascii: "x")])
        }
        return String(decoding: Array(name.joined(separator: [UInt8(ascii: ".")])), as: UTF8.self)
    }

    /// The token that a pattern wants at a place: one, any (empty), or none (`nil`).
    private static func literal(_ tokens: [[UInt8]], _ index: Int) -> [[UInt8]]? {
        let last = tokens.count - 1
        if index >= last, tokens[last] == [UInt8(ascii: ">")] { return [] }
        guard index <= last else { return nil }
        return tokens[index] == [UInt8(ascii: "*")] ? [] : [tokens[index]]
    }

    private static func isShortAndPlain(_ text: String) -> Bool {
        text.utf8.count <= 255
            && !text.unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }
    }

    private static func isWildcard(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "*") || byte == UInt8(ascii: ">")
    }
}
