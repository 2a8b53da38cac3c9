import Foundation

/// How much of a text a regular expression gets. Nothing can stop one that runs, and what it runs on comes from any
/// publisher. The console has the same rules, in Sources/ApusServer/Resources/console/where.js.
///
/// In the worst case, each repetition is tried with every length, and each choice doubles the ways.
struct FilterReach {
    /// Why an expression is refused.
    struct Refusal: Error {
        let message: String
    }

    private static let (longest, shortest, mostWays) = (2000.0, 50.0, 2e6)

    private let text: String
    private let signs: [Unicode.Scalar]
    private var at = 0
    /// Of each group that is open: whether what it matches varies.
    private var varies = [false]
    private var (repetitions, choices) = (0, 0)
    /// Where a group ended whose match varies.
    private var end: Int?

    /// The UTF-16 codes that the expression gets of a text.
    static func length(for text: String) throws(Refusal) -> Int {
        var reach = FilterReach(text: text, signs: Array(text.unicodeScalars))
        return try reach.length()
    }

    private init(text: String, signs: [Unicode.Scalar]) {
        (self.text, self.signs) = (text, signs)
    }

    private mutating func length() throws(Refusal) -> Int {
        while at < signs.count { try part() }
        let ways = (2...max(2, repetitions + 1)).reduce(Self.mostWays / pow(2, Double(choices))) { ways, each in
            each <= repetitions + 1 ? ways * Double(each) : ways
        }
        let length = min(Self.longest, pow(ways, 1 / Double(repetitions + 1))).rounded(.down)
        if length < Self.shortest { throw slow("it has too many *, +, ?, { or |") }
        return Int(length)
    }

    private func slow(_ reason: String) -> Refusal {
        Refusal(message: "“\(text)” could take too long: \(reason)")
    }

    private func sign(_ offset: Int = 0) -> Unicode.Scalar? {
        at + offset < signs.count ? signs[at + offset] : nil
    }

    // MARK: Parts

    private mutating func part() throws(Refusal) {
        switch signs[at] {
        case "\\": try escape()
        case "[": try set()
        case "(": try group()
        case ")":
            at += 1
            end = nil
            if varies.count > 1, varies.removeLast() {
                varies[varies.count - 1] = true
                end = at
            }
        case "*", "+", "{": try repetition()
        case "?", "|":
            let isLazy = signs[at] == "?" && sign(1) == "?"
            varies[varies.count - 1] = true
            choices += 1
            at += isLazy ? 2 : 1
        default: at += 1
        }
    }

    private mutating func repetition() throws(Refusal) {
        guard let (length, isFixed) = repeated() else {
            at += 1
            return
        }
        if end == at { throw slow("it repeats a group with *, +, ?, { or | in it") }
        varies[varies.count - 1] = true
        if !isFixed { repetitions += 1 }
        at += length
        if sign() == "?" { at += 1 }
    }

    /// How long `*`, `+`, `{2}` or `{2,3}` is, and whether it says how often. `nil` for a bracket that is only a sign.
    private func repeated() -> (length: Int, isFixed: Bool)? {
        guard sign() == "{" else { return (1, false) }
        var (length, hasComma) = (1, false)
        while let sign = sign(length), sign != "}" {
            if sign == ",", length > 1, !hasComma { hasComma = true } else if !("0"..."9").contains(sign) { return nil }
            length += 1
        }
        return length > 1 && sign(length) == "}" ? (length + 1, !hasComma) : nil
    }

    private mutating func escape() throws(Refusal) {
        guard let sign = sign(1) else {
            at += 1
            return
        }
        if sign == "Q" { throw unclear() }
        if ("1"..."9").contains(sign) || sign == "k" { varies[varies.count - 1] = true }
        at += 2
    }

    /// A set of characters, with those in it.
    private mutating func set() throws(Refusal) {
        var depth = 0
        while at < signs.count {
            switch signs[at] {
            case "\\":
                if sign(1) == "Q" { throw unclear() }
                at += 1
            case "[":
                depth += 1
                if sign(1) == "^" { at += 1 }
                if sign(1) == "]" { throw unclear() }
            case "]": depth -= 1
            default: break
            }
            at += 1
            if depth == 0 { return }
        }
    }

    private mutating func group() throws(Refusal) {
        at += 1
        guard sign() == "?" else { return varies.append(false) }
        at += 1
        if sign() == "#" { throw unclear() }
        while let flag = sign(), ("a"..."z").contains(flag) || flag == "-" {
            if flag == "x" { throw unclear() }
            at += 1
        }
        // Flags alone open no group.
        if sign() != ")" { return varies.append(false) }
        at += 1
    }

    /// In what an expression has beyond JavaScript's, signs may mean something else.
    private func unclear() -> Refusal {
        slow("with a comment, (?x), \\Q or []…] in it, nobody can tell")
    }
}
