public import ApusProtocol
public import NIOCore

/// An event as a client would read it off its socket.
public struct EventFrame: Hashable, Sendable {
    /// `event`.
    public let kind: String
    public let topic: String
    /// The published object, byte for byte.
    public let message: String
    /// As a JSON string, with its quotes.
    public let key: String?
    public let offset: UInt64?
    /// When it was published, RFC 3339.
    public let time: String

    /// Decodes all frames of a delivery; `nil` when one is not a final, unmasked text frame with an event of `dialect`.
    ///
    /// - Parameter inflater: of a client that reads compressed frames too.
    public static func decode(_ bytes: ByteBuffer, dialect: Dialect, inflater: Inflater? = nil) -> [EventFrame]? {
        var rest = bytes
        var frames: [EventFrame] = []
        while rest.readableBytes > 0 {
            guard let payload = takePayload(&rest, inflater), let frame = EventFrame(payload, dialect: dialect) else {
                return nil
            }
            frames.append(frame)
        }
        return frames
    }

    private static func takePayload(_ bytes: inout ByteBuffer, _ inflater: Inflater?) -> [UInt8]? {
        guard let first = bytes.readInteger(as: UInt8.self), let short = bytes.readInteger(as: UInt8.self),
            first == 0x81 || first == 0xC1 && inflater != nil
        else { return nil }
        let size: Int?
        switch short {
        case 0..<126: size = Int(short)
        case 126: size = bytes.readInteger(as: UInt16.self).map(Int.init)
        case 127: size = bytes.readInteger(as: UInt64.self).flatMap { Int(exactly: $0) }
        default: return nil
        }
        guard let payload = size.flatMap({ bytes.readBytes(length: $0) }) else { return nil }
        guard first == 0xC1, let inflater else { return payload }
        return payload.withUnsafeBytes { try? inflater.withInflated($0, limit: 1 << 24) { Array($0) } }
    }

    /// Reads `{"type":"event","topic":"…","message":…,"key":"…","offset":…,"ts":"…"}`, which must have just these
    /// members in this order; key and offset may be missing.
    private init?(_ payload: [UInt8], dialect: Dialect) {
        var rest = payload[...]
        guard rest.take(#"{"type":"#), let kind = rest.takeValue(),
            rest.take(#","topic":"#), let topic = rest.takeValue(),
            rest.take(#","message":"#), let message = rest.takeValue()
        else { return nil }
        key = rest.take(#","key":"#) ? rest.takeValue() : nil
        offset = rest.take(#","offset":"#) ? rest.takeValue().flatMap { UInt64($0) } : nil
        guard rest.take(dialect == .base ? #","ts":"# : #","timestamp":"#), let time = rest.takeValue(),
            time.utf8.count == Timestamp.textSize + 2, Array(rest) == Array("}".utf8)
        else { return nil }
        self.kind = String(kind.dropFirst().dropLast())
        let quoted = Array(topic.utf8)
        let text = JSONText(range: 1..<(quoted.count - 1), hasEscapes: quoted.contains(UInt8(ascii: "\\")))
        guard let name = quoted.withUnsafeBytes({ text.string(in: $0) }) else { return nil }
        self.topic = name
        self.message = message
        self.time = String(time.dropFirst().dropLast())
    }
}

extension ArraySlice<UInt8> {
    /// Takes `text` off the start, if it is there.
    fileprivate mutating func take(_ text: String) -> Bool {
        guard starts(with: text.utf8) else { return false }
        removeFirst(text.utf8.count)
        return true
    }

    /// Takes a JSON value off the start, up to the comma or bracket behind it.
    fileprivate mutating func takeValue() -> String? {
        var depth = 0
        var index = startIndex
        var isInString = false
        while index < endIndex {
            switch self[index] {
            case UInt8(ascii: "\\") where isInString: index += 1
            case UInt8(ascii: "\""): isInString.toggle()
            case _ where isInString: break
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}") where depth > 0, UInt8(ascii: "]") where depth > 0: depth -= 1
            case UInt8(ascii: ",") where depth == 0, UInt8(ascii: "}"):
                defer { self = self[index...] }
                return String(decoding: self[..<index], as: UTF8.self)
            default: break
            }
            index += 1
        }
        return nil
    }
}
