import Foundation

/// What the right side of `~` says: a glob in quotes, or a regular expression between slashes.
struct FilterPattern: Sendable {
    private enum Form: Sendable {
        case glob([Character])
        case regex(NSRegularExpression)
    }

    private let form: Form

    /// A pattern for the whole text, in which `*` is any number of characters and `?` is one. A backslash takes the
    /// next character as it is.
    init(glob: String) {
        form = .glob(Array(glob))
    }

    /// A regular expression that may match anywhere in the text; `nil` if it is none.
    init?(regex: String, ignoresCase: Bool) {
        let options: NSRegularExpression.Options = ignoresCase ? [.caseInsensitive] : []
        guard let regex = try? NSRegularExpression(pattern: regex, options: options) else { return nil }
        form = .regex(regex)
    }

    func matches(_ text: String) -> Bool {
        switch form {
        case .glob(let pattern): Self.matches(Array(text), pattern)
        case .regex(let regex):
            regex.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
        }
    }

    /// Goes back to the last star only, so it takes at most the product of both lengths.
    private static func matches(_ text: [Character], _ pattern: [Character]) -> Bool {
        var (place, at) = (0, 0)
        var star: (after: Int, at: Int)?
        while at < text.count {
            if place < pattern.count, pattern[place] == "*" {
                place += 1
                star = (place, at)
                continue
            }
            if let next = step(text[at], pattern, from: place) {
                (place, at) = (next, at + 1)
            } else if let last = star {
                (place, at) = (last.after, last.at + 1)
                star = (last.after, last.at + 1)
            } else {
                return false
            }
        }
        return pattern[place...].allSatisfy { $0 == "*" }
    }

    /// The place in the pattern after one that takes the character.
    private static func step(_ character: Character, _ pattern: [Character], from place: Int) -> Int? {
        guard place < pattern.count else { return nil }
        if pattern[place] == "\\", place + 1 < pattern.count {
            return pattern[place + 1] == character ? place + 2 : nil
        }
        return pattern[place] == "?" || pattern[place] == character ? place + 1 : nil
    }
}
