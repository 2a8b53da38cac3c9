/// Sixteen bytes of text looked at as one vector, for what is longer than a name.
///
/// The tests make a byte of ones of each byte that is marked, exactly. They return all of them as one integer, the
/// first byte in its lowest bits: zero when none is marked.
///
/// Every step is written with its type: only then are the operators those of this very vector, an instruction each, and
/// not the generic ones, which are loops over the bytes.
enum ByteBlock {
    typealias Bytes = SIMD16<UInt8>
    private typealias Marks = SIMDMask<SIMD16<Int8>>

    static var size: Int { 16 }

    @inline(__always)
    static func load(_ base: UnsafeRawPointer, at offset: Int) -> Bytes {
        base.loadUnaligned(fromByteOffset: offset, as: Bytes.self)
    }

    /// Marks what ends a run of plain JSON string text: a quote, a backslash or a control character.
    @inline(__always)
    static func stringStops(in block: Bytes) -> UInt128 {
        // Flipping bit 1 puts the quote, 0x22, right behind the control characters, and none of those out of its range.
        let flipped: Bytes = block ^ Bytes(repeating: 0x02)
        let controlsAndQuotes: Marks = flipped .< Bytes(repeating: 0x21)
        let backslashes: Marks = block .== Bytes(repeating: 0x5C)
        let all: Marks = controlsAndQuotes .| backslashes
        return integer(all)
    }

    /// Whether all bytes are ASCII hexadecimal digits of either case, but those that `dashes` marks, which must be
    /// that.
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

    /// How many bytes come before the lowest mark.
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
