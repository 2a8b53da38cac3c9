public import ApusProtocol

/// What a client writes (RFC 6455): the handshake, and masked frames.
public enum WebSocketClient {
    /// The nonce and its answer from the example in RFC 6455, section 1.3. A load generator needs no secret nonce.
    private static let nonce = "dGhlIHNhbXBsZSBub25jZQ=="
    private static let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

    /// The request for a WebSocket handshake.
    public static func handshake(host: String, path: String, headers: [(String, String)] = []) -> [UInt8] {
        var text = "GET \(path) HTTP/1.1\r\nHost: \(host)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        text += "Sec-WebSocket-Key: \(nonce)\r\nSec-WebSocket-Version: 13\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        return Array((text + "\r\n").utf8)
    }

    /// The server's answer to a handshake.
    public enum Answer: Equatable {
        /// Not all of it has arrived.
        case incomplete
        /// The WebSocket is open. The head took `byteCount` bytes.
        case accepted(byteCount: Int)
        /// Anything else; with its first line.
        case refused(String)
    }

    /// The longest head of an answer: 16 KiB.
    private static let headLimit = 16 << 10

    /// Parses the answer to a handshake.
    public static func answer(in input: UnsafeRawBufferPointer) -> Answer {
        guard let end = ByteSearch.first("\r\n\r\n", in: input) else {
            return input.count > headLimit ? .refused("an endless head") : .incomplete
        }
        let head = String(decoding: input[..<end], as: UTF8.self)
        let lines = head.split(separator: "\r\n", omittingEmptySubsequences: false)
        let status = lines.first.map(String.init) ?? ""
        guard status.split(separator: " ").dropFirst().first == "101" else { return .refused(status) }
        let isAccepted = lines.dropFirst().contains { line in
            guard let colon = line.firstIndex(of: ":") else { return false }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            return line[..<colon].lowercased() == "sec-websocket-accept" && value == accept
        }
        return isAccepted ? .accepted(byteCount: end + 4) : .refused("a wrong Sec-WebSocket-Accept")
    }

    /// Appends a masked frame.
    public static func append(_ payload: [UInt8], opcode: Opcode, to output: inout [UInt8]) {
        appendHead(opcode: opcode, length: payload.count, to: &output)
        let key = UInt32.random(in: 0...UInt32.max)
        withUnsafeBytes(of: key) { output.append(contentsOf: $0) }
        let start = output.count
        output += payload
        output.withUnsafeMutableBytes { mask(UnsafeMutableRawBufferPointer(rebasing: $0[start...]), key: key) }
    }

    /// The template of a text frame around a message template.
    public static func template(around message: PublishTemplate) -> PublishTemplate {
        var bytes: [UInt8] = []
        appendHead(opcode: .text, length: message.bytes.count, to: &bytes)
        let key = bytes.count
        let shift = key + 4
        bytes += [0, 0, 0, 0]
        var template = PublishTemplate(bytes: bytes + message.bytes, mark: message.mark + shift)
        template.topicDigits = message.topicDigits.map { $0 + shift }
        template.identifier = message.identifier.map { $0 + shift }
        template.request = message.request.map { $0 + shift }
        template.maskingKey = key
        return template
    }

    /// A server's header with the bit that announces a masking key.
    private static func appendHead(opcode: Opcode, length: Int, to output: inout [UInt8]) {
        var head: [UInt8] = Array(repeating: 0, count: FrameHeader.size(payload: length))
        head.withUnsafeMutableBytes { bytes in
            if let base = bytes.baseAddress { FrameHeader.write(opcode, payload: length, to: base) }
        }
        head[1] |= 0x80
        output += head
    }

    /// Masks in place, eight bytes at a time. `key` is in memory byte order.
    @inlinable
    public static func mask(_ bytes: UnsafeMutableRawBufferPointer, key: UInt32) {
        guard let base = bytes.baseAddress else { return }
        let wide = UInt64(key) << 32 | UInt64(key)
        var place = 0
        while place + 8 <= bytes.count {
            let masked = (base + place).loadUnaligned(as: UInt64.self) ^ wide
            base.storeBytes(of: masked, toByteOffset: place, as: UInt64.self)
            place += 8
        }
        while place < bytes.count {
            bytes[place] ^= UInt8(truncatingIfNeeded: key.littleEndian >> (UInt32(place & 3) * 8))
            place += 1
        }
    }
}

/// Searches for short texts in bytes, where speed does not matter.
public enum ByteSearch {
    /// The position of the first occurrence of the text; `nil` when there is none.
    public static func first(_ text: StaticString, in bytes: UnsafeRawBufferPointer) -> Int? {
        let count = text.utf8CodeUnitCount
        guard count > 0, bytes.count >= count else { return nil }
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: count)
        for start in 0...(bytes.count - count) where bytes[start] == wanted[0] {
            if bytes[start..<(start + count)].elementsEqual(wanted) { return start }
        }
        return nil
    }

    /// The decimal number after the text, ignoring blanks; `nil` when there is none.
    public static func number(after text: StaticString, in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let start = first(text, in: bytes) else { return nil }
        let rest = bytes[(start + text.utf8CodeUnitCount)...].drop { $0 == UInt8(ascii: " ") }
        return Int(String(decoding: rest.prefix { (48...57).contains($0) }, as: UTF8.self))
    }
}
