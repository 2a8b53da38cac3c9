import ApusProtocol
import NIOCore

/// The body of a close frame (RFC 6455 section 5.5.1).
enum CloseFrame {
    /// What a client's close frame means: a code to send back, or a protocol failure.
    enum Received: Equatable {
        /// `nil` when the frame has no code.
        case code(UInt16?)
        case failure(Disconnect)
    }

    static func parse(_ body: UnsafeRawBufferPointer) -> Received {
        guard !body.isEmpty else { return .code(nil) }
        guard body.count >= 2 else { return .failure(.protocolError) }
        let code = UInt16(bigEndian: body.loadUnaligned(as: UInt16.self))
        guard isAllowed(code) else { return .failure(.protocolError) }
        var validator = UTF8Validator()
        guard validator.consume(UnsafeRawBufferPointer(rebasing: body[2...])), validator.isComplete else {
            return .failure(.invalidUTF8)
        }
        return .code(code)
    }

    /// Codes that may appear in a frame: those of section 7.4.1 except 1004 to 1006 and 1015, and the ranges that
    /// section 7.4.2 reserves for libraries and applications.
    static func isAllowed(_ code: UInt16) -> Bool {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }

    static func write(code: UInt16?, reason: String, to buffer: inout ByteBuffer) {
        var body = ByteBuffer()
        if let code {
            body.writeInteger(code)
            body.writeString(reason)
        }
        writeControlFrame(.close, body.readableBytesView, to: &buffer)
    }
}

/// Appends a control frame. Its body has at most 125 bytes.
func writeControlFrame(_ opcode: Opcode, _ body: some Collection<UInt8>, to buffer: inout ByteBuffer) {
    precondition(opcode.isControl && body.count <= 125, "a control frame carries at most 125 bytes")
    buffer.writeInteger(0x80 | opcode.rawValue)
    buffer.writeInteger(UInt8(body.count))
    buffer.writeBytes(body)
}
