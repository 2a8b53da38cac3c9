/// A name of at most 16 bytes as two integers, so that comparing it needs no loop.
struct ShortName: Equatable, ExpressibleByStringLiteral {
    static var longest: Int { 16 }

    let length: Int
    private let head: UInt64
    /// The last eight bytes if the name is longer than eight bytes, else 0.
    private let tail: UInt64

    /// The name in a literal. The optimizer turns this into constants.
    @inline(__always)
    init(stringLiteral literal: StaticString) {
        let base = UnsafeRawPointer(literal.utf8Start)
        self.init(base, from: 0, length: literal.utf8CodeUnitCount, readable: literal.utf8CodeUnitCount)
    }

    /// The name in a JSON string; `nil` when it is too long or invalid.
    @inline(__always)
    init?(_ text: JSONStringSpan, in lexer: JSONLexer) {
        guard let name = text.hasEscapes ? Self.decoded(text, in: lexer) : ShortName(text.range, in: lexer) else {
            return nil
        }
        self = name
    }

    private static func decoded(_ name: JSONStringSpan, in lexer: JSONLexer) -> ShortName? {
        // An escaped byte takes at most six bytes, so a longer text need not be decoded.
        guard name.range.count <= 6 * longest, var text = name.string(in: lexer.bytes) else { return nil }
        return text.withUTF8 { utf8 in
            guard let base = utf8.baseAddress else { return nil }
            return ShortName(utf8.indices, in: JSONLexer(base: UnsafeRawPointer(base), count: utf8.count))
        }
    }

    /// The name in a range of a text; `nil` when it is too long.
    @inline(__always)
    init?(_ range: Range<Int>, in lexer: JSONLexer) {
        let length = range.upperBound &- range.lowerBound
        guard length <= Self.longest else { return nil }
        self.init(lexer.base, from: range.lowerBound, length: length, readable: lexer.count)
    }

    /// The name in `length` bytes, at most `longest`, at `start` of a text with `readable` bytes.
    @inline(__always)
    private init(_ base: UnsafeRawPointer, from start: Int, length: Int, readable: Int) {
        self.length = length
        self.tail = length > 8 ? ByteWord.load(base, at: start &+ length &- 8) : 0
        if length >= 8 {
            self.head = ByteWord.load(base, at: start)
        } else if start &+ 8 <= readable {
            self.head = ByteWord.load(base, at: start) & ((1 &<< UInt64(truncatingIfNeeded: length &* 8)) &- 1)
        } else {
            self.head = Self.bytewise(base, from: start, length: length)
        }
    }

    @inline(__always)
    private static func bytewise(_ base: UnsafeRawPointer, from start: Int, length: Int) -> UInt64 {
        var word: UInt64 = 0
        for index in 0..<length {
            let byte = base.load(fromByteOffset: start &+ index, as: UInt8.self)
            word |= UInt64(byte) &<< UInt64(truncatingIfNeeded: index &* 8)
        }
        return word
    }
}
