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
        guard let base = bytes.baseAddress.map({ $0 + range.lowerBound }) else { return false }
        var second = ByteWord.repeating(0)
        var third = second
        switch range.count {
        case 32:
            second = ByteWord.load(base, at: 8)
            third = ByteWord.load(base, at: 16)
        case 36:
            // 550e8400 -e29b-41 d4-a716- 446655440000: the words in the middle hold the dashes, each at the other's
            // mirrored place. They are made zeros, and then all must be digits.
            second = ByteWord.load(base, at: 8)
            third = ByteWord.load(base, at: 16)
            guard second & 0x0000_FF00_0000_00FF == 0x0000_2D00_0000_002D,
                third & 0xFF00_0000_00FF_0000 == 0x2D00_0000_002D_0000
            else { return false }
            second ^= 0x0000_1D00_0000_001D
            third ^= 0x1D00_0000_001D_0000
        default:
            return false
        }
        // The last word overlaps the one before it in the dashed form; in the bare form it is the same one.
        return ByteWord.isHexadecimal(ByteWord.load(base, at: 0)) && ByteWord.isHexadecimal(second)
            && ByteWord.isHexadecimal(third) && ByteWord.isHexadecimal(ByteWord.load(base, at: 24))
            && ByteWord.isHexadecimal(ByteWord.load(base, at: range.count &- 8))
    }
}
