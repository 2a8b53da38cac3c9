import CCRC32C

/// The beginning of a segment: what the file is, and which of the segments.
///
/// ```
/// byte  0 "APUSSEG" and a newline   8 version   16 number   24 last commit before   32 zeros   60 CRC-32C
/// ```
package struct SegmentHead: Hashable, Sendable {
    package static let size = 64
    package static let version: UInt32 = 1
    private static let checksumPlace = 60
    private static let magic = Array("APUSSEG\n".utf8)

    /// Segments are numbered in the order of their records, without gaps but for those that were given up.
    package var number: UInt64
    /// The last commit before the segment; 0 if there was none.
    package var before: UInt64

    package init(number: UInt64, before: UInt64) {
        self.number = number
        self.before = before
    }

    /// What the first bytes of a file say.
    package enum Reading: Equatable {
        case head(SegmentHead)
        /// Nothing was written, or not all of it.
        case nothing
        /// A version of Apus wrote it that this one does not know.
        case version(UInt32)
    }

    package var bytes: [UInt8] {
        var bytes = Self.magic + [UInt8](repeating: 0, count: Self.size - Self.magic.count)
        bytes.withUnsafeMutableBytes { room in
            room.storeBytes(of: Self.version.littleEndian, toByteOffset: 8, as: UInt32.self)
            room.storeBytes(of: number.littleEndian, toByteOffset: 16, as: UInt64.self)
            room.storeBytes(of: before.littleEndian, toByteOffset: 24, as: UInt64.self)
            let checksum = Self.checksum(UnsafeRawBufferPointer(room)).littleEndian
            room.storeBytes(of: checksum, toByteOffset: Self.checksumPlace, as: UInt32.self)
        }
        return bytes
    }

    package static func read(_ bytes: UnsafeRawBufferPointer) -> Reading {
        guard bytes.count >= size, bytes.starts(with: magic),
            checksum(bytes) == load(checksumPlace, of: bytes, as: UInt32.self)
        else { return .nothing }
        let version = load(8, of: bytes, as: UInt32.self)
        guard version == Self.version else { return .version(version) }
        let head = SegmentHead(number: load(16, of: bytes), before: load(24, of: bytes))
        return head.isPossible ? .head(head) : .nothing
    }

    /// Whether another commit and another segment could follow.
    var isPossible: Bool { number < .max && before < .max }

    static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        crc32c(0, bytes.baseAddress, checksumPlace)
    }

    private static func load<Number: FixedWidthInteger>(
        _ place: Int,
        of bytes: UnsafeRawBufferPointer,
        as: Number.Type = UInt64.self
    ) -> Number {
        Number(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: Number.self))
    }

    // MARK: Names

    /// The name of a segment's file, which sorts like its number.
    package static func fileName(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 10 - digits.count)) + digits + suffix
    }

    private static let suffix = ".seg"

    /// The number in a file's name; `nil` if it is no segment's.
    package static func number(inName name: String) -> UInt64? {
        guard name.hasSuffix(suffix), let number = UInt64(name.dropLast(suffix.count)),
            fileName(number) == name
        else { return nil }
        return number
    }
}
