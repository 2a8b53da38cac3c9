/// Processes eight bytes of text as one integer, with the first byte in the lowest bits.
///
/// A test marks a byte by its high bit. A borrow can only mark bytes after a truly marked byte. The lowest mark is
/// therefore always exact, and callers use no other.
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

    /// Marks the bytes that end a run of plain JSON string text: a quote, a backslash or a control character.
    @inline(__always)
    static func stringStops(in word: UInt64) -> UInt64 {
        // Flipping bit 1 puts the quote, 0x22, just after the control characters, and keeps those in their range.
        let controlsAndQuotes = (word ^ repeating(0x02)) &- repeating(0x21)
        let backslashes = (word ^ repeating(0x5C)) &- repeating(1)
        return (controlsAndQuotes | backslashes) & ~word & highBits
    }

    /// The number of bytes before the lowest mark.
    @inline(__always)
    static func bytesBefore(_ marks: UInt64) -> Int {
        marks.trailingZeroBitCount &>> 3
    }
}
