import ApusProtocol
import NIOCore

/// A frame as a client sends it: written here once more, so that the product's code is not its own judge.
struct ClientFrame {
    var opcode: UInt8
    var payload: [UInt8] = []
    var isFinal = true
    var reserved: UInt8 = 0
    var mask: [UInt8]? = [0x37, 0xFA, 0x21, 0x3D]
    /// How the length is written: as short as can be, or in so many bits.
    var lengthBits: Int?

    static func text(_ text: String, isFinal: Bool = true) -> ClientFrame {
        ClientFrame(opcode: Opcode.text.rawValue, payload: Array(text.utf8), isFinal: isFinal)
    }

    static func continuation(_ text: String, isFinal: Bool) -> ClientFrame {
        ClientFrame(opcode: Opcode.continuation.rawValue, payload: Array(text.utf8), isFinal: isFinal)
    }

    static func ping(_ text: String = "") -> ClientFrame {
        ClientFrame(opcode: Opcode.ping.rawValue, payload: Array(text.utf8))
    }

    static func pong(_ text: String = "") -> ClientFrame {
        ClientFrame(opcode: Opcode.pong.rawValue, payload: Array(text.utf8))
    }

    static func close(_ code: UInt16? = 1000, _ reason: String = "") -> ClientFrame {
        let body = code.map { [UInt8($0 >> 8), UInt8($0 & 0xFF)] + Array(reason.utf8) } ?? []
        return ClientFrame(opcode: Opcode.close.rawValue, payload: body)
    }

    /// The head alone.
    var head: [UInt8] {
        let count = payload.count
        let masked: UInt8 = mask == nil ? 0 : 0x80
        var bytes = [(isFinal ? 0x80 : 0) | reserved << 4 | opcode]
        switch lengthBits ?? (count < 126 ? 7 : count < 65_536 ? 16 : 64) {
        case 7:
            bytes.append(masked | UInt8(count))
        case 16:
            bytes.append(masked | 126)
            bytes += (0..<2).reversed().map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) }
        default:
            bytes.append(masked | 127)
            bytes += (0..<8).reversed().map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) }
        }
        return bytes + (mask ?? [])
    }

    var bytes: [UInt8] {
        guard let mask else { return head + payload }
        return head + payload.enumerated().map { $1 ^ mask[$0 % 4] }
    }
}

/// A frame that the server sent.
struct ServerFrame: Equatable, CustomStringConvertible {
    var opcode: UInt8
    var payload: [UInt8]

    var text: String { String(decoding: payload, as: UTF8.self) }

    /// `1001 SHUTDOWN`; `nil` when it is no close frame with a code.
    var close: String? {
        guard opcode == Opcode.close.rawValue, payload.count >= 2 else { return nil }
        return "\(UInt16(payload[0]) << 8 | UInt16(payload[1])) \(String(decoding: payload[2...], as: UTF8.self))"
            .trimmingSuffix(" ")
    }

    var description: String { "\(opcode): \(close ?? text)" }

    /// A text frame as a server sends it, whose payload is `text` and spaces up to `size` bytes.
    static func text(_ text: String, size: Int = 0) -> ByteBuffer {
        let count = max(size, text.utf8.count)
        var buffer = ByteBuffer(bytes: [0x81])
        switch count {
        case 0..<126: buffer.writeInteger(UInt8(count))
        case 126...0xFFFF: buffer.writeMultipleIntegers(UInt8(126), UInt16(count))
        default: buffer.writeMultipleIntegers(UInt8(127), UInt64(count))
        }
        buffer.writeString(text)
        buffer.writeRepeatingByte(0x20, count: count - text.utf8.count)
        return buffer
    }

    /// The text without the spaces at its end.
    var word: String { String(text.prefix { $0 != " " }) }

    /// Takes all frames; `nil` when something is left, or is not final, or is masked.
    static func decode(_ bytes: [UInt8]) -> [ServerFrame]? {
        var rest = bytes[...]
        var frames: [ServerFrame] = []
        while !rest.isEmpty {
            guard rest.count >= 2, let first = rest.popFirst(), let second = rest.popFirst(), first & 0xF0 == 0x80,
                second < 128
            else { return nil }
            let width = second == 126 ? 2 : second == 127 ? 8 : 0
            guard rest.count >= width else { return nil }
            let size = width == 0 ? Int(second) : rest.prefix(width).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(width)
            guard rest.count >= size else { return nil }
            frames.append(ServerFrame(opcode: first & 0x0F, payload: Array(rest.prefix(size))))
            rest = rest.dropFirst(size)
        }
        return frames
    }
}

extension String {
    fileprivate func trimmingSuffix(_ suffix: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
    }
}
