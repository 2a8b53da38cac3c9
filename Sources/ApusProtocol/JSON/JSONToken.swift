/// The kind and the position of a JSON value.
struct JSONToken {
    enum Kind: UInt8 {
        case absent, null, boolean, integer, fraction, string, escapedString, array, object
        /// A string without escapes that is known to be a dashed UUID.
        case uuid
    }

    var kind: Kind
    /// Including the quotes or brackets.
    var start: Int
    var end: Int

    static var absent: JSONToken { JSONToken(kind: .absent, start: 0, end: 0) }

    /// Whether the field counts as missing.
    var isAbsent: Bool { kind == .absent || kind == .null }

    var range: Range<Int> { Range(uncheckedBounds: (start, end)) }

    /// The token's string; `nil` if the token is not a string.
    @inline(__always)
    var text: JSONStringSpan? {
        guard kind == .string || kind == .escapedString || kind == .uuid else { return nil }
        return JSONStringSpan(token: start, end: end, hasEscapes: kind == .escapedString)
    }
}

extension JSONStringSpan {
    /// The content of a token that includes its quotes.
    @inline(__always)
    init(token start: Int, end: Int, hasEscapes: Bool) {
        self.init(range: Range(uncheckedBounds: (start &+ 1, end &- 1)), hasEscapes: hasEscapes)
    }
}
