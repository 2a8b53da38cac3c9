// With its cases, for protocols that import only `ApusLoad`.
@_exported public import enum ApusProtocol.Opcode

/// One frame of a server, in place in the read buffer (RFC 6455, section 5.2).
public struct WebSocketFrame {
    /// The largest payload accepted: 64 MiB.
    public static let payloadLimit = 64 << 20

    public let opcode: Opcode
    /// The payload. Valid as long as the read buffer is.
    public let payload: UnsafeRawBufferPointer
    /// The size of the frame with its head, in bytes.
    public let byteCount: Int

    @usableFromInline
    init(opcode: Opcode, payload: UnsafeRawBufferPointer, byteCount: Int) {
        self.opcode = opcode
        self.payload = payload
        self.byteCount = byteCount
    }

    /// The first frame of the input; `nil` when it is incomplete.
    ///
    /// Every message must be a single frame, unmasked and without extensions.
    ///
    /// - Throws: ``WebSocketFault`` for any other frame.
    @inlinable
    public static func first(in input: UnsafeRawBufferPointer) throws(WebSocketFault) -> WebSocketFrame? {
        guard input.count >= 2, let base = input.baseAddress else { return nil }
        let flags = base.load(as: UInt8.self)
        let short = (base + 1).load(as: UInt8.self)
        // Final, no reserved bit, no continuation, not masked.
        guard flags & 0xF0 == 0x80, flags & 0x0F != 0, short < 0x80 else { throw fault(flags: flags, length: short) }
        var length = Int(short)
        var head = 2
        if short == 126 {
            guard input.count >= 4 else { return nil }
            length = Int(UInt16(bigEndian: (base + 2).loadUnaligned(as: UInt16.self)))
            head = 4
        } else if short == 127 {
            guard input.count >= 10 else { return nil }
            let long = UInt64(bigEndian: (base + 2).loadUnaligned(as: UInt64.self))
            guard long <= UInt64(payloadLimit) else { throw .tooLarge }
            length = Int(long)
            head = 10
        }
        guard input.count >= head + length else { return nil }
        guard let opcode = Opcode(rawValue: flags & 0x0F) else { throw .unknownOpcode(flags & 0x0F) }
        return WebSocketFrame(
            opcode: opcode,
            payload: UnsafeRawBufferPointer(start: base + head, count: length),
            byteCount: head + length
        )
    }

    /// The size in bytes of the text frame that begins here, with its head; `nil` if none begins here.
    static func textByteCount(in input: UnsafeRawBufferPointer) -> Int? {
        let start = 0x80 | Opcode.text.rawValue
        guard input.count >= 10, let base = input.baseAddress, input[0] == start else { return nil }
        switch input[1] {
        case ..<126: return 2 + Int(input[1])
        case 126: return 4 + Int(UInt16(bigEndian: (base + 2).loadUnaligned(as: UInt16.self)))
        case 127: return 10 + Int(clamping: UInt64(bigEndian: (base + 2).loadUnaligned(as: UInt64.self)) & 0xFFFF_FFFF)
        default: return nil
        }
    }

    @usableFromInline
    static func fault(flags: UInt8, length: UInt8) -> WebSocketFault {
        if length >= 0x80 { return .masked }
        return flags & 0x70 != 0 ? .reservedBits : .fragmented
    }

    /// The code and the reason of a close frame, as text.
    public var closeText: String {
        guard opcode == .close, payload.count >= 2 else { return "close frame" }
        let reason = String(decoding: payload.dropFirst(2), as: UTF8.self)
        let code = Int(payload[0]) << 8 | Int(payload[1])
        return reason.isEmpty ? "close \(code)" : "close \(code) \(reason)"
    }
}

/// What the load generator does not accept in a server's frames.
public enum WebSocketFault: Error, Equatable {
    case fragmented
    case masked
    case reservedBits
    case tooLarge
    case unknownOpcode(UInt8)

    /// The fault in words.
    public var text: String {
        switch self {
        case .fragmented: "the server sent a fragmented message, which this generator does not read"
        case .masked: "the server masked a frame (RFC 6455 forbids it)"
        case .reservedBits: "the server used an extension that was not asked for"
        case .tooLarge: "the server sent a frame of more than 64 MiB"
        case .unknownOpcode(let number): "the server sent a frame of kind \(number)"
        }
    }
}
