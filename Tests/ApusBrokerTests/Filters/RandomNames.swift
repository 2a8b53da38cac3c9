import ApusProtocol
import ApusTesting

@testable import ApusBroker

/// Names and patterns over so few tokens that they meet often; two of the tokens look the same, and one is empty.
struct RandomNames {
    private static let tokens = ["a", "b", "", "caf\u{E9}", "cafe\u{301}", "a token longer than a small string"]
    var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    private mutating func literal() -> String {
        Self.tokens[Int.random(in: Self.tokens.indices, using: &generator)]
    }

    mutating func name() -> String {
        let name = (0..<Int.random(in: 1...5, using: &generator)).map { _ in literal() }.joined(separator: ".")
        return name.isEmpty ? "a" : name
    }

    mutating func filter() -> TopicFilter? {
        var tokens = (0..<Int.random(in: 1...5, using: &generator)).map { _ in generator.chance(40) ? "*" : literal() }
        if generator.chance(30) { tokens[tokens.count - 1] = ">" }
        if !tokens.contains("*"), tokens.last != ">" { tokens[0] = "*" }
        return TopicFilter(tokens.joined(separator: "."))
    }

    /// Whether the filter matches the name, found in a way of its own: byte by byte from the left.
    static func matches(_ filter: TopicFilter, _ name: String) -> Bool {
        matches(Array(filter.text.utf8)[...], Array(name.utf8)[...])
    }

    private static func matches(_ filter: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>) -> Bool {
        switch filter.first {
        case UInt8(ascii: ">"): true
        case UInt8(ascii: "*"): matches(filter.dropFirst(), name.drop { $0 != UInt8(ascii: ".") })
        case let byte?: name.first == byte && matches(filter.dropFirst(), name.dropFirst())
        case nil: name.isEmpty
        }
    }
}
