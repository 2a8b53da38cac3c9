/// A JSON value that was read: what it is and where.
struct JSONToken {
    enum Kind: UInt8 {
        case absent, null, boolean, integer, fraction, string, escapedString, array, object
        /// A string without escapes that is known to be a UUID with its dashes.
        case uuid
    }

    var kind: Kind
    /// With the quotes or brackets.
    var start: Int
    var end: Int

    static var absent: JSONToken { JSONToken(kind: .absent, start: 0, end: 0) }

    /// Whether the field counts as not given.
    var isAbsent: Bool { kind == .absent || kind == .null }

    var range: Range<Int> { Range(uncheckedBounds: (start, end)) }

    /// The string that the token is, if it is one.
    @inline(__always)
    var text: JSONText? {
        guard kind == .string || kind == .escapedString || kind == .uuid else { return nil }
        return JSONText(token: start, end: end, hasEscapes: kind == .escapedString)
    }
}

extension JSONText {
    /// The content of a token that has its quotes.
    @inline(__always)
    init(token start: Int, end: Int, hasEscapes: Bool) {
        self.init(range: Range(uncheckedBounds: (start &+ 1, end &- 1)), hasEscapes: hasEscapes)
    }
}
