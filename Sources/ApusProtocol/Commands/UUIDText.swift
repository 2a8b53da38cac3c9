/// The text form of a UUID: 32 hexadecimal digits of either case, bare or dashed as 8-4-4-4-12 (RFC 9562 section 4).
enum UUIDText {
    @inline(__always)
    static func isValid(_ text: JSONText, in bytes: UnsafeRawBufferPointer) -> Bool {
        if text.hasEscapes { return isValid(escaped: text, in: bytes) }
        return isValid(bytes, in: text.range)
    }

    @inline(never)
    private static func isValid(escaped text: JSONText, in bytes: UnsafeRawBufferPointer) -> Bool {
        guard text.range.count <= 36 * 6, var string = text.string(in: bytes) else { return false }
        return string.withUTF8 { isValid(UnsafeRawBufferPointer($0), in: $0.indices) }
    }

    @inline(__always)
    private static func isValid(_ bytes: UnsafeRawBufferPointer, in range: Range<Int>) -> Bool {
        guard range.count >= 32, let base = bytes.baseAddress.map({ $0 + range.lowerBound }) else { return false }
        let (first, second) = (ByteBlock.load(base, at: 0), ByteBlock.load(base, at: 16))
        switch range.count {
        case 32:
            return ByteBlock.isHexadecimal(first, dashes: 0) && ByteBlock.isHexadecimal(second, dashes: 0)
        case 36:
            // 550e8400-e29b-41 d4-a716-44665544 0000: the last block starts in the second, so as to be whole.
            return ByteBlock.isHexadecimal(first, dashes: ByteBlock.mark(8) | ByteBlock.mark(13))
                && ByteBlock.isHexadecimal(second, dashes: ByteBlock.mark(2) | ByteBlock.mark(7))
                && ByteBlock.isHexadecimal(ByteBlock.load(base, at: 20), dashes: ByteBlock.mark(3))
        default:
            return false
        }
    }
}
