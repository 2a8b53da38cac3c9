public import ApusProtocol
public import NIOCore

/// An event as a client would read it off its socket.
public struct EventFrame: Hashable, Sendable {
    /// `event`.
    public let kind: String
    public let topic: String
    /// The published object, byte for byte.
    public let message: String
    /// When it was published, RFC 3339.
    public let time: String

    /// Decodes all frames of a delivery; `nil` when one is not a final, unmasked text frame with an event of `dialect`.
    public static func decode(_ bytes: ByteBuffer, dialect: Dialect) -> [EventFrame]? {
        var rest = bytes
        var frames: [EventFrame] = []
        while rest.readableBytes > 0 {
            guard let payload = takePayload(&rest), let frame = EventFrame(payload, dialect: dialect) else {
                return nil
            }
            frames.append(frame)
        }
        return frames
    }

    private static func takePayload(_ bytes: inout ByteBuffer) -> [UInt8]? {
        guard bytes.readInteger(as: UInt8.self) == 0x81, let short = bytes.readInteger(as: UInt8.self) else {
            return nil
        }
        let size: Int?
        switch short {
        case 0..<126: size = Int(short)
        case 126: size = bytes.readInteger(as: UInt16.self).map(Int.init)
        case 127: size = bytes.readInteger(as: UInt64.self).flatMap { Int(exactly: $0) }
        default: return nil
        }
        return size.flatMap { bytes.readBytes(length: $0) }
    }

    /// Reads `{"type":"event","topic":"…","message":…,"ts":"…"}`, which must have just these members in this order.
    private init?(_ payload: [UInt8], dialect: Dialect) {
        let head = Array(#"{"type":""#.utf8)
        let topicKey = Array(#"","topic":""#.utf8)
        let messageKey = Array(#"","message":"#.utf8)
        let timeKey = Array((dialect == .base ? #","ts":""# : #","timestamp":""#).utf8)
        let timeStart = payload.count - 2 - Timestamp.textSize
        let messageEnd = timeStart - timeKey.count
        guard payload.starts(with: head), messageEnd > 0, payload.suffix(2).elementsEqual("\"}".utf8),
            payload[messageEnd..<timeStart].elementsEqual(timeKey),
            let kindEnd = payload[head.count...].firstIndex(of: UInt8(ascii: "\"")),
            payload[kindEnd...].starts(with: topicKey)
        else { return nil }
        let topicStart = kindEnd + topicKey.count
        guard let topicEnd = Self.endOfString(payload, from: topicStart), payload[topicEnd...].starts(with: messageKey)
        else { return nil }
        let text = JSONText(range: topicStart..<topicEnd, hasEscapes: payload[topicStart..<topicEnd].contains(0x5C))
        guard let topic = payload.withUnsafeBytes({ text.string(in: $0) }),
            topicEnd + messageKey.count <= messageEnd
        else { return nil }
        self.kind = String(decoding: payload[head.count..<kindEnd], as: UTF8.self)
        self.topic = topic
        self.message = String(decoding: payload[(topicEnd + messageKey.count)..<messageEnd], as: UTF8.self)
        self.time = String(decoding: payload[timeStart..<(timeStart + Timestamp.textSize)], as: UTF8.self)
    }

    private static func endOfString(_ bytes: [UInt8], from start: Int) -> Int? {
        var index = start
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""): return index
            case UInt8(ascii: "\\"): index += 2
            default: index += 1
            }
        }
        return nil
    }
}
