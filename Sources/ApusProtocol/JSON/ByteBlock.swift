/// Processes sixteen bytes of text as one vector, for texts longer than a name.
///
/// A test sets every marked byte to all ones, exactly. It returns the bytes as one integer, with the first byte in the
/// lowest bits: zero when none is marked.
///
/// Every step states its type. Only then do the operators of this vector type apply, which are single instructions. The
/// generic operators are loops over the bytes.
enum ByteBlock {
    typealias Bytes = SIMD16<UInt8>
    private typealias Marks = SIMDMask<SIMD16<Int8>>

    static var size: Int { 16 }

    @inline(__always)
    static func load(_ base: UnsafeRawPointer, at offset: Int) -> Bytes {
        base.loadUnaligned(fromByteOffset: offset, as: Bytes.self)
    }

    /// Marks the bytes that end a run of plain JSON string text: a quote, a backslash or a control character.
    @inline(__always)
    static func stringStops(in block: Bytes) -> UInt128 {
        // Flipping bit 1 puts the quote, 0x22, just after the control characters, and keeps those in their range.
        let flipped: Bytes = block ^ Bytes(repeating: 0x02)
        let controlsAndQuotes: Marks = flipped .< Bytes(repeating: 0x21)
        let backslashes: Marks = block .== Bytes(repeating: 0x5C)
        let all: Marks = controlsAndQuotes .| backslashes
        return integer(all)
    }

    /// Whether the bytes that `dashes` marks are dashes, and all others ASCII hexadecimal digits of either case.
    @inline(__always)
    static func isHexadecimal(_ block: Bytes, dashes: UInt128) -> Bool {
        let digits: Marks = (block &- Bytes(repeating: 0x30)) .< Bytes(repeating: 10)
        let lowercased: Bytes = block | Bytes(repeating: 0x20)
        let letters: Marks = (lowercased &- Bytes(repeating: 0x61)) .< Bytes(repeating: 6)
        let hexadecimal: Marks = digits .| letters
        let dashesFound: Marks = block .== Bytes(repeating: 0x2D)
        return integer(hexadecimal) == ~dashes && integer(dashesFound) == dashes
    }

    /// The mark of the byte at `index`.
    @inline(__always)
    static func mark(_ index: Int) -> UInt128 {
        0xFF &<< UInt128(truncatingIfNeeded: index &* 8)
    }

    /// The number of bytes before the lowest mark.
    @inline(__always)
    static func bytesBefore(_ marks: UInt128) -> Int {
        marks.trailingZeroBitCount &>> 3
    }

    /// A mask as an integer; both are the same 16 bytes.
    @inline(__always)
    private static func integer(_ mask: Marks) -> UInt128 {
        UInt128(littleEndian: unsafeBitCast(mask, to: UInt128.self))
    }
}
