/// Checks UTF-8 (RFC 3629) that arrives in pieces: no overlong forms, no surrogates, nothing above U+10FFFF.
///
/// A sequence may be split anywhere. The validator refuses the text at the first byte that cannot become valid, not at
/// its end. RFC 6455 section 8.1 allows this, and the Autobahn suite asks for it.
public struct UTF8Validator: Sendable, Equatable {
    /// The number of continuation bytes that the unfinished sequence still needs.
    private var missing: UInt8 = 0
    /// The range of the next continuation byte. Only the first one after a lead byte is narrower than 80…BF.
    private var lowest: UInt8 = 0x80
    private var highest: UInt8 = 0xBF
    private var isHopeless = false

    public init() {}

    /// Whether the consumed bytes are valid and end with a complete sequence.
    public var isComplete: Bool {
        missing == 0 && !isHopeless
    }

    /// Consumes the next bytes. Returns `false`, from then on, when the text can no longer become valid.
    public mutating func consume(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard !isHopeless else { return false }
        guard let base = bytes.baseAddress else { return true }
        var position = 0
        while position < bytes.count {
            if missing == 0 {
                position = Self.endOfASCII(base, from: position, count: bytes.count)
                guard position < bytes.count else { return true }
            }
            guard accept(bytes[position]) else {
                isHopeless = true
                return false
            }
            position &+= 1
        }
        return true
    }

    /// The first position at or after `start` that is not ASCII, or the end.
    @inline(__always)
    private static func endOfASCII(_ base: UnsafeRawPointer, from start: Int, count: Int) -> Int {
        var position = start
        while position &+ 8 <= count {
            let marks = ByteWord.load(base, at: position) & ByteWord.highBits
            guard marks == 0 else { return position &+ ByteWord.bytesBefore(marks) }
            position &+= 8
        }
        while position < count, base.load(fromByteOffset: position, as: UInt8.self) < 0x80 {
            position &+= 1
        }
        return position
    }

    /// Accepts one byte of a sequence; `false` when it is not allowed there.
    @inline(__always)
    private mutating func accept(_ byte: UInt8) -> Bool {
        if missing > 0 {
            guard byte >= lowest, byte <= highest else { return false }
            missing &-= 1
            (lowest, highest) = (0x80, 0xBF)
            return true
        }
        switch byte {
        case 0x00...0x7F: return true
        case 0xC2...0xDF: missing = 1
        case 0xE0: (missing, lowest) = (2, 0xA0)  // lower bytes are overlong
        case 0xED: (missing, highest) = (2, 0x9F)  // higher bytes are surrogates
        case 0xE1...0xEF: missing = 2
        case 0xF0: (missing, lowest) = (3, 0x90)  // lower bytes are overlong
        case 0xF1...0xF3: missing = 3
        case 0xF4: (missing, highest) = (3, 0x8F)  // higher bytes are past U+10FFFF
        default: return false
        }
        return true
    }
}
