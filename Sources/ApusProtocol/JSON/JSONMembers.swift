/// Iterates over the members of an object or the elements of an array, in a text that is known to be JSON.
///
/// For use off the hot path. The strict pass has already run, so nothing is checked again.
struct JSONMembers {
    private let lexer: JSONLexer
    private var position: Int
    private let isObject: Bool

    /// Starts before the first member; `nil` when `token` is not a container.
    ///
    /// - Parameters:
    ///   - token: an object or an array.
    ///   - bytes: the text that was scanned.
    init?(of token: JSONToken, in bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress, token.kind == .object || token.kind == .array else { return nil }
        lexer = JSONLexer(base: base, count: bytes.count)
        position = token.start + 1
        isObject = token.kind == .object
    }

    /// The outermost value of a text.
    static func root(of bytes: UnsafeRawBufferPointer) -> JSONToken {
        guard let base = bytes.baseAddress else { return .absent }
        let lexer = JSONLexer(base: base, count: bytes.count)
        return token(at: lexer.skipWhitespace(from: 0), in: lexer)
    }

    /// The next member of an object. Its name is `nil` when it is longer than any name in use.
    mutating func nextNamed() -> (name: ShortName?, value: JSONToken)? {
        next().map { (ShortName($0.name, in: lexer), $0.value) }
    }

    /// The next value, with its name if this is an object; `nil` after the last.
    mutating func next() -> (name: JSONStringSpan, value: JSONToken)? {
        position = lexer.skipWhitespace(from: position)
        if lexer.byte(at: position) == UInt8(ascii: ",") { position = lexer.skipWhitespace(from: position + 1) }
        var name = JSONStringSpan.empty
        if isObject {
            guard let key = try? lexer.endOfString(at: position) else { return nil }
            name = JSONStringSpan(token: position, end: key.end, hasEscapes: key.hasEscapes)
            let colon = lexer.skipWhitespace(from: key.end)
            position = lexer.skipWhitespace(from: colon + 1)
        }
        let value = Self.token(at: position, in: lexer)
        guard value.kind != .absent else { return nil }
        position = value.end
        return (name, value)
    }

    /// The value that starts at `start`.
    private static func token(at start: Int, in lexer: JSONLexer) -> JSONToken {
        switch lexer.byte(at: start) {
        case UInt8(ascii: "\""):
            guard let string = try? lexer.endOfString(at: start) else { return .absent }
            return JSONToken(kind: string.hasEscapes ? .escapedString : .string, start: start, end: string.end)
        case UInt8(ascii: "{"):
            return JSONToken(kind: .object, start: start, end: endOfContainer(at: start, in: lexer))
        case UInt8(ascii: "["):
            return JSONToken(kind: .array, start: start, end: endOfContainer(at: start, in: lexer))
        default:
            guard let scalar = try? lexer.endOfScalar(at: start) else { return .absent }
            return JSONToken(kind: scalar.kind, start: start, end: scalar.end)
        }
    }

    /// In valid JSON, brackets balance. Only brackets in strings must be skipped.
    private static func endOfContainer(at start: Int, in lexer: JSONLexer) -> Int {
        var position = start
        var depth = 0
        while position < lexer.count {
            switch lexer.byte(at: position) {
            case UInt8(ascii: "\""):
                position = (try? lexer.endOfString(at: position).end) ?? lexer.count
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0 { return position + 1 }
            default:
                break
            }
            position += 1
        }
        return position
    }
}
