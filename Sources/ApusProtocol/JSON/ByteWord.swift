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

    /// Whether all eight bytes are ASCII hexadecimal digits of either case.
    @inline(__always)
    static func isHexadecimal(_ word: UInt64) -> Bool {
        // With the high bits out of the way, adding 0x80 - x sets a byte's high bit exactly when it is at least x.
        let ascii = word & ~highBits
        let lowercased = ascii | repeating(0x20)
        let digits = (ascii &+ repeating(0x80 - 0x30)) & ~(ascii &+ repeating(0x80 - 0x3A))
        let letters = (lowercased &+ repeating(0x80 - 0x61)) & ~(lowercased &+ repeating(0x80 - 0x67))
        return (digits | letters) & ~word & highBits == highBits
    }
}

/// A name of at most 16 bytes as two integers, so that comparing it costs no loop.
struct ShortName: Equatable {
    private var length: Int
    private var head: UInt64
    /// The last eight bytes when the name is longer than eight, else 0.
    private var tail: UInt64

    /// The name in a literal. The optimizer turns this into constants.
    @inline(__always)
    init(_ literal: StaticString) {
        let length = literal.utf8CodeUnitCount
        self.init(UnsafeRawPointer(literal.utf8Start), from: 0, length: length, readable: length)
    }

    /// The name in `length` bytes, at most `longest`, at `start` of a text that has `readable` bytes.
    @inline(__always)
    init(_ base: UnsafeRawPointer, from start: Int, length: Int, readable: Int) {
        self.length = length
        self.tail = length > 8 ? ByteWord.load(base, at: start &+ length &- 8) : 0
        if length >= 8 {
            self.head = ByteWord.load(base, at: start)
        } else if start &+ 8 <= readable {
            self.head = ByteWord.load(base, at: start) & ((1 &<< UInt64(truncatingIfNeeded: length &* 8)) &- 1)
        } else {
            self.head = 0
            for index in 0..<length {
                let byte = base.load(fromByteOffset: start &+ index, as: UInt8.self)
                self.head |= UInt64(byte) &<< UInt64(truncatingIfNeeded: index &* 8)
            }
        }
    }

    static var longest: Int { 16 }
}
