import ApusProtocol

/// The head of a client's frame, checked against RFC 6455 section 5.2 as far as the head alone allows.
struct FrameHead: Equatable {
    var isFinal: Bool
    var opcode: Opcode
    /// The masking key, in the memory order of its four bytes.
    var mask: UInt32
    /// The size of the head itself: 6, 8 or 14 bytes.
    var size: Int
    /// How many bytes of payload follow.
    var payload: Int
    /// Whether the message that starts with this frame is compressed (RFC 7692 section 6).
    var isCompressed = false

    enum ParseResult: Equatable {
        case head(FrameHead)
        case incomplete
        case failure(Disconnect)

        /// Whether `count` bytes contain the whole frame, and the frame is a whole text that is not compressed.
        func isWholeText(in count: Int) -> Bool {
            guard case .head(let head) = self, head.opcode == .text, head.isFinal, !head.isCompressed else {
                return false
            }
            return head.size + head.payload <= count
        }
    }

    /// Parses the head at the start of `bytes`. An error in the first two bytes or in the length is reported before the
    /// rest of the head arrives.
    ///
    /// - Parameter mayBeCompressed: whether permessage-deflate was negotiated.
    static func parse(
        _ bytes: UnsafeRawBufferPointer,
        maxMessage: Int,
        mayBeCompressed: Bool = false
    ) -> ParseResult {
        guard bytes.count >= 2 else { return .incomplete }
        let first = bytes[0]
        let second = bytes[1]
        // RSV bits belong to extensions, and every client frame is masked (section 5.1).
        let reserved = first & 0x70
        guard reserved == 0 || reserved == 0x40 && mayBeCompressed, second & 0x80 != 0,
            let opcode = Opcode(rawValue: first & 0x0F)
        else { return .failure(.protocolError) }
        // The first frame sets the bit for the whole message; control frames are never compressed (RFC 7692 section
        // 6.1).
        if reserved != 0, opcode != .text, opcode != .binary { return .failure(.protocolError) }
        let isFinal = first & 0x80 != 0
        let short = Int(second & 0x7F)
        if opcode.isControl, !isFinal || short > 125 { return .failure(.protocolError) }
        let size: Int
        let payload: Int
        switch short {
        case 126:
            guard bytes.count >= 4 else { return .incomplete }
            payload = Int(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
            guard payload > 125 else { return .failure(.protocolError) }
            size = 8
        case 127:
            guard bytes.count >= 10 else { return .incomplete }
            let long = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
            guard long > 0xFFFF, long <= UInt64(Int64.max) else { return .failure(.protocolError) }
            payload = Int(long)
            size = 14
        default:
            payload = short
            size = 6
        }
        guard payload <= maxMessage || opcode.isControl else { return .failure(.messageTooBig) }
        guard bytes.count >= size else { return .incomplete }
        let mask = bytes.loadUnaligned(fromByteOffset: size - 4, as: UInt32.self)
        return .head(
            FrameHead(
                isFinal: isFinal,
                opcode: opcode,
                mask: mask,
                size: size,
                payload: payload,
                isCompressed: reserved != 0
            )
        )
    }
}

extension FrameHead {
    /// The end of the server frame that contains the byte at `position`. `bytes` must be whole, unmasked frames.
    static func endOfServerFrame(behind position: Int, in bytes: UnsafeRawBufferPointer) -> Int {
        var end = 0
        while end <= position, end + 2 <= bytes.count {
            let payload: Int
            switch bytes[end + 1] {
            case 126 where end + 4 <= bytes.count:
                let size = bytes.loadUnaligned(fromByteOffset: end + 2, as: UInt16.self)
                payload = 2 + Int(UInt16(bigEndian: size))
            case 127 where end + 10 <= bytes.count:
                let size = bytes.loadUnaligned(fromByteOffset: end + 2, as: UInt64.self)
                payload = 8 + Int(UInt64(bigEndian: size))
            case let short:
                payload = Int(short)
            }
            end += 2 + payload
        }
        return min(end, bytes.count)
    }
}

/// Removes the mask from a payload (RFC 6455 section 5.3). `target` may be the address of the source itself.
///
/// - Returns: whether the payload is all ASCII. Such a text needs no further check.
@inline(__always)
func unmask(_ source: UnsafeRawBufferPointer, mask: UInt32, to target: UnsafeMutableRawPointer) -> Bool {
    guard let base = source.baseAddress, source.count >= MaskBlock.size else {
        return unmaskFew(source, mask: mask, to: target)
    }
    // The last block may overlap the one before it, so read the last block before writing that one.
    let last = source.count - MaskBlock.size
    let rest = MaskBlock.load(base, at: last) ^ MaskBlock.key(mask, at: last)
    let key = MaskBlock.key(mask, at: 0)
    var seen = rest
    var index = 0
    while index < last {
        let block = MaskBlock.load(base, at: index) ^ key
        seen |= block
        target.storeBytes(of: block, toByteOffset: index, as: MaskBlock.Words.self)
        index &+= MaskBlock.size
    }
    target.storeBytes(of: rest, toByteOffset: last, as: MaskBlock.Words.self)
    return (seen[0] | seen[1]) & 0x8080_8080_8080_8080 == 0
}

/// Unmasks a payload that is smaller than a block.
private func unmaskFew(_ source: UnsafeRawBufferPointer, mask: UInt32, to target: UnsafeMutableRawPointer) -> Bool {
    var key = mask
    var seen: UInt8 = 0
    for index in source.indices {
        let byte = source[index] ^ UInt8(truncatingIfNeeded: key)
        seen |= byte
        target.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
        key = key >> 8 | key << 24
    }
    return seen < 0x80
}

/// Sixteen bytes of a payload.
private enum MaskBlock {
    typealias Words = SIMD2<UInt64>

    static var size: Int { 16 }

    @inline(__always)
    static func load(_ base: UnsafeRawPointer, at offset: Int) -> Words {
        base.loadUnaligned(fromByteOffset: offset, as: Words.self)
    }

    /// The mask repeated to fill a block, starting with the mask byte for `offset`.
    @inline(__always)
    static func key(_ mask: UInt32, at offset: Int) -> Words {
        let shift = UInt32(truncatingIfNeeded: offset & 3) &* 8
        let turned = UInt64(mask &>> shift | mask &<< (32 &- shift))
        return Words(repeating: turned | turned &<< 32)
    }
}
