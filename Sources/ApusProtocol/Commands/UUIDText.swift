/// The text form of a UUID: 32 hexadecimal digits of either case, bare or dashed as 8-4-4-4-12 (RFC 9562 section 4).
enum UUIDText {
    static func isValid(_ text: JSONStringSpan, in bytes: UnsafeRawBufferPointer) -> Bool {
        text.hasEscapes ? isValid(escaped: text, in: bytes) : isValid(bytes, in: text.range)
    }

    /// The end of a quoted, dashed UUID at `start`; `nil` if there is none.
    @inline(__always)
    static func endOfQuoted(at start: Int, in lexer: JSONLexer) -> Int? {
        let end = start &+ 38
        guard end <= lexer.count, lexer.byte(at: start) == 0x22, lexer.byte(at: end &- 1) == 0x22,
            isDashed(lexer.base + (start &+ 1))
        else { return nil }
        return end
    }

    @inline(never)
    private static func isValid(escaped text: JSONStringSpan, in bytes: UnsafeRawBufferPointer) -> Bool {
        guard text.range.count <= 36 * 6, var string = text.string(in: bytes) else { return false }
        return string.withUTF8 { isValid(UnsafeRawBufferPointer($0), in: $0.indices) }
    }

    private static func isValid(_ bytes: UnsafeRawBufferPointer, in range: Range<Int>) -> Bool {
        guard let base = bytes.baseAddress.map({ $0 + range.lowerBound }) else { return false }
        switch range.count {
        case 32:
            return ByteBlock.isHexadecimal(ByteBlock.load(base, at: 0), dashes: 0)
                && ByteBlock.isHexadecimal(ByteBlock.load(base, at: 16), dashes: 0)
        case 36:
            return isDashed(base)
        default:
            return false
        }
    }

    /// Whether 36 bytes are a dashed UUID.
    @inline(__always)
    private static func isDashed(_ base: UnsafeRawPointer) -> Bool {
        // 550e8400-e29b-41 d4-a716-44665544 0000: the last block overlaps the second, so that it is a whole block.
        ByteBlock.isHexadecimal(ByteBlock.load(base, at: 0), dashes: ByteBlock.mark(8) | ByteBlock.mark(13))
            && ByteBlock.isHexadecimal(ByteBlock.load(base, at: 16), dashes: ByteBlock.mark(2) | ByteBlock.mark(7))
            && ByteBlock.isHexadecimal(ByteBlock.load(base, at: 20), dashes: ByteBlock.mark(3))
    }
}
