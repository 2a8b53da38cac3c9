import Foundation

/// What the right side of `~` says: a glob in quotes, or a regular expression between slashes.
struct FilterPattern: Sendable {
    private enum Form: Sendable {
        case glob([Unicode.Scalar])
        /// With how much of a text it gets.
        case regex(NSRegularExpression, length: Int)
    }

    /// The characters of a glob at most: matching takes the product of its length and the text's.
    static let longestGlob = 256

    private let form: Form

    /// A pattern for the whole text, in which `*` is any number of characters and `?` is one. A backslash takes the
    /// next character as it is. `nil` if it is too long.
    init?(glob: String) {
        guard glob.unicodeScalars.count <= Self.longestGlob else { return nil }
        form = .glob(Array(glob.unicodeScalars))
    }

    /// A regular expression that may match anywhere in the text. Refused if it is none, or could take too long.
    init(regex text: String, ignoresCase: Bool) throws(FilterReach.Refusal) {
        let options: NSRegularExpression.Options = ignoresCase ? [.caseInsensitive] : []
        guard let regex = try? NSRegularExpression(pattern: text, options: options) else {
            throw FilterReach.Refusal(message: "this is no regular expression")
        }
        form = .regex(regex, length: try FilterReach.length(for: text))
    }

    func matches(_ text: String) -> Bool {
        switch form {
        case .glob(let pattern): Self.matches(Array(text.unicodeScalars), pattern)
        case .regex(let regex, let length):
            regex.firstMatch(in: text, range: NSRange(location: 0, length: min(length, text.utf16.count))) != nil
        }
    }

    /// Goes back to the last star only, so it takes at most the product of both lengths.
    private static func matches(_ text: [Unicode.Scalar], _ pattern: [Unicode.Scalar]) -> Bool {
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
    private static func step(_ character: Unicode.Scalar, _ pattern: [Unicode.Scalar], from place: Int) -> Int? {
        guard place < pattern.count else { return nil }
        if pattern[place] == "\\", place + 1 < pattern.count {
            return pattern[place + 1] == character ? place + 2 : nil
        }
        return pattern[place] == "?" || pattern[place] == character ? place + 1 : nil
    }
}
