/// The numbers in every message: its publisher, its sequence, and its time.
///
/// ```
/// ld-mark:0003000000000a2f0000000123456789
///         └─ publisher, 4   └─ nanoseconds, 16 hexadecimal digits
///             └─ sequence on the topic, 12
/// ```
///
/// The width is constant, so that a mark can be found and read without parsing the text around it. The text is plain
/// ASCII, and JSON need not escape it.
public struct LoadMark: Sendable, Equatable {
    /// The size of a mark in bytes.
    public static let byteCount = 40
    /// The maximum number of publishers that a mark can distinguish.
    public static let publisherLimit = 1 << 16
    /// `ld-mark:` as a number in memory.
    @usableFromInline static let magic = UInt64(littleEndian: 0x3A6B_7261_6D2D_646C)

    /// The publisher in the upper 16 bits, and the sequence in the lower 48.
    public let origin: UInt64
    /// When the message was sent or due, in nanoseconds of the run's clock.
    public let time: UInt64

    @inlinable
    public init(origin: UInt64, time: UInt64) {
        self.origin = origin
        self.time = time
    }

    @inlinable
    public init(publisher: Int, sequence: UInt64, time: UInt64) {
        self.init(origin: Self.origin(publisher: publisher, sequence: sequence), time: time)
    }

    /// Combines publisher and sequence into one number.
    @inlinable
    public static func origin(publisher: Int, sequence: UInt64) -> UInt64 {
        UInt64(publisher) << 48 | sequence
    }

    /// The number of the publisher.
    @inlinable public var publisher: Int { Int(origin >> 48) }
    /// The number of this publisher's message on its topic, from 1.
    @inlinable public var sequence: UInt64 { origin & 0xFFFF_FFFF_FFFF }

    /// Writes the mark. `byteCount` bytes must be writable.
    @inlinable
    public func write(to bytes: UnsafeMutableRawPointer) {
        bytes.storeBytes(of: Self.magic, as: UInt64.self)
        HexDigits.write(origin, to: bytes + 8)
        HexDigits.write(time, to: bytes + 24)
    }

    /// The mark at this address; `nil` when there is none. `byteCount` bytes must be readable.
    @inlinable
    public static func read(at bytes: UnsafeRawPointer) -> LoadMark? {
        guard bytes.loadUnaligned(as: UInt64.self) == magic else { return nil }
        return LoadMark(origin: HexDigits.read(bytes + 8), time: HexDigits.read(bytes + 24))
    }
}

/// Finds marks in messages: first at the place of the last mark, then by searching.
public struct MarkFinder {
    @usableFromInline var place = 0

    public init() {}

    /// The mark in a message; `nil` when it has none.
    @inlinable
    public mutating func find(in message: UnsafeRawBufferPointer) -> LoadMark? {
        guard let base = message.baseAddress else { return nil }
        if place + LoadMark.byteCount <= message.count, let mark = LoadMark.read(at: base + place) { return mark }
        return search(message)
    }

    @usableFromInline
    mutating func search(_ message: UnsafeRawBufferPointer) -> LoadMark? {
        guard let base = message.baseAddress, message.count >= LoadMark.byteCount else { return nil }
        for start in 0...(message.count - LoadMark.byteCount) {
            if let mark = LoadMark.read(at: base + start) {
                place = start
                return mark
            }
        }
        return nil
    }
}

/// Numbers as 16 hexadecimal digits, processed eight at a time.
public enum HexDigits {
    /// The number of digits.
    public static let count = 16

    /// Writes all 16 digits.
    @inlinable
    public static func write(_ value: UInt64, to bytes: UnsafeMutableRawPointer) {
        bytes.storeBytes(of: digits(UInt32(value >> 32)).littleEndian, as: UInt64.self)
        bytes.storeBytes(of: digits(UInt32(truncatingIfNeeded: value)).littleEndian, toByteOffset: 8, as: UInt64.self)
    }

    /// Reads 16 digits. For other characters, the result is unspecified.
    @inlinable
    public static func read(_ bytes: UnsafeRawPointer) -> UInt64 {
        UInt64(number(UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self)))) << 32
            | UInt64(number(UInt64(littleEndian: (bytes + 8).loadUnaligned(as: UInt64.self))))
    }

    /// Spreads the nibbles over bytes, the highest one first in memory, and turns them into digits.
    @inlinable
    static func digits(_ value: UInt32) -> UInt64 {
        var spread = UInt64(value)
        spread = (spread | spread << 16) & 0x0000_FFFF_0000_FFFF
        spread = (spread | spread << 8) & 0x00FF_00FF_00FF_00FF
        spread = (spread | spread << 4) & 0x0F0F_0F0F_0F0F_0F0F
        // 1 in each byte that becomes a letter: adding 6 carries into its upper half.
        let letters = ((spread &+ 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101
        return (spread &+ 0x3030_3030_3030_3030 &+ letters &* 39).byteSwapped
    }

    @inlinable
    static func number(_ digits: UInt64) -> UInt32 {
        // A letter has bit 6 set, and its lower half is 1 for the value ten.
        var value = (digits & 0x0F0F_0F0F_0F0F_0F0F) &+ ((digits >> 6) & 0x0101_0101_0101_0101) &* 9
        value = value.byteSwapped
        value = (value | value >> 4) & 0x00FF_00FF_00FF_00FF
        value = (value | value >> 8) & 0x0000_FFFF_0000_FFFF
        value = value | value >> 16
        return UInt32(truncatingIfNeeded: value)
    }
}
