/// The type of a WebSocket frame (RFC 6455 section 5.2).
public enum Opcode: UInt8, Sendable {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xA

    /// Control frames carry at most 125 bytes and are never fragmented (RFC 6455 section 5.5).
    public var isControl: Bool { rawValue & 0x8 != 0 }
}

/// The header of a frame as a server sends it: final, unmasked, with the shortest length (RFC 6455 section 5.2).
public enum FrameHeader {
    /// The size in bytes of the header of a frame with this payload size: 2, 4 or 10.
    @inlinable
    public static func size(payload: Int) -> Int {
        payload < 126 ? 2 : payload <= 0xFFFF ? 4 : 10
    }

    /// The size in bytes of the header of a frame with this total size.
    @inlinable
    public static func size(ofFrame count: Int) -> Int {
        count - 2 < 126 ? 2 : count - 4 <= 0xFFFF ? 4 : 10
    }

    /// Writes the header at `pointer`, which must have room for ``size(payload:)`` bytes.
    ///
    /// - Parameter isCompressed: sets the first reserved bit (RFC 7692 section 6).
    @inlinable
    public static func write(
        _ opcode: Opcode,
        payload: Int,
        isCompressed: Bool = false,
        to pointer: UnsafeMutableRawPointer
    ) {
        pointer.storeBytes(of: (isCompressed ? 0xC0 : 0x80) | opcode.rawValue, as: UInt8.self)
        if payload < 126 {
            pointer.storeBytes(of: UInt8(truncatingIfNeeded: payload), toByteOffset: 1, as: UInt8.self)
        } else if payload <= 0xFFFF {
            pointer.storeBytes(of: 126, toByteOffset: 1, as: UInt8.self)
            pointer.storeBytes(of: UInt16(truncatingIfNeeded: payload).bigEndian, toByteOffset: 2, as: UInt16.self)
        } else {
            pointer.storeBytes(of: 127, toByteOffset: 1, as: UInt8.self)
            pointer.storeBytes(of: UInt64(payload).bigEndian, toByteOffset: 2, as: UInt64.self)
        }
    }
}

extension FrameHeader {
    /// The payload of the first frame in `bytes`, which a server sent: final and unmasked (RFC 6455 section 5.1).
    ///
    /// - Returns: `nil` when `bytes` does not contain the whole frame.
    package static func payload(ofFirstOf bytes: UnsafeRawBufferPointer) -> Range<Int>? {
        guard bytes.count >= 2 else { return nil }
        let (start, count): (Int, Int)
        switch bytes[1] {
        case 126:
            guard bytes.count >= 4 else { return nil }
            (start, count) = (4, Int(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))))
        case 127:
            guard bytes.count >= 10 else { return nil }
            let long = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
            (start, count) = (10, Int(clamping: long))
        case let short:
            (start, count) = (2, Int(short))
        }
        return count <= bytes.count - start ? start..<(start + count) : nil
    }
}
