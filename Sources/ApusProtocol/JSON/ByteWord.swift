/// Eight bytes of text looked at as one integer; the first byte is in the lowest bits.
///
/// The tests mark a byte by its high bit. A borrow can only mark bytes after a byte that is truly marked, so the
/// lowest mark is always exact, and that is the only one that callers use.
enum ByteWord {
    static var highBits: UInt64 { 0x8080_8080_8080_8080 }

    @inline(__always)
    static func load(_ base: UnsafeRawPointer, at offset: Int) -> UInt64 {
        UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    @inline(__always)
    static func repeating(_ byte: UInt8) -> UInt64 {
        0x0101_0101_0101_0101 &* UInt64(byte)
    }

    /// Marks what ends a run of plain JSON string text: a quote, a backslash or a control character.
    @inline(__always)
    static func stringStops(in word: UInt64) -> UInt64 {
        // Flipping bit 1 puts the quote, 0x22, right behind the control characters, and none of those out of its range.
        let controlsAndQuotes = (word ^ repeating(0x02)) &- repeating(0x21)
        let backslashes = (word ^ repeating(0x5C)) &- repeating(1)
        return (controlsAndQuotes | backslashes) & ~word & highBits
    }

    /// How many bytes come before the lowest mark.
    @inline(__always)
    static func bytesBefore(_ marks: UInt64) -> Int {
        marks.trailingZeroBitCount &>> 3
    }
}
