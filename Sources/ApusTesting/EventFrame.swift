package import ApusProtocol
package import NIOCore

/// An event as a client would read it from its socket.
package struct EventFrame: Hashable, Sendable {
    /// Always `event`.
    package let kind: String
    package let topic: String
    /// The published object, byte for byte.
    package let message: String
    /// The key as a JSON string with quotes.
    package let key: String?
    package let offset: UInt64?
    /// The trace context as a JSON string with quotes.
    package let trace: String?
    /// What goes along with it, as a JSON string with quotes.
    package let traceState: String?
    /// When the message was published, as RFC 3339 text.
    package let time: String

    /// Decodes all frames of a delivery. Every frame must be a final, unmasked text frame with an event of `dialect`.
    ///
    /// - Parameter inflater: the inflater of a client that also reads compressed frames.
    /// - Returns: `nil` when a frame is anything else.
    package static func decode(_ bytes: ByteBuffer, dialect: Dialect, inflater: Inflater? = nil) -> [EventFrame]? {
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

    /// Parses `{"type":"event","topic":"…","message":…,"key":"…","offset":…,"trace":"…","tracestate":"…","ts":"…"}`.
    ///
    /// The members must be exactly these, in this order. Key, offset, trace and its state may be missing.
    private init?(_ payload: [UInt8], dialect: Dialect) {
        var rest = payload[...]
        guard rest.take(#"{"type":"#), let kind = rest.takeValue(),
            rest.take(#","topic":"#), let topic = rest.takeValue(),
            rest.take(#","message":"#), let message = rest.takeValue()
        else { return nil }
        key = rest.take(#","key":"#) ? rest.takeValue() : nil
        offset = rest.take(#","offset":"#) ? rest.takeValue().flatMap { UInt64($0) } : nil
        trace = rest.take(#","trace":"#) ? rest.takeValue() : nil
        traceState = rest.take(#","tracestate":"#) ? rest.takeValue() : nil
        guard rest.take(dialect == .base ? #","ts":"# : #","timestamp":"#), let time = rest.takeValue(),
            time.utf8.count == Timestamp.textSize + 2, Array(rest) == Array("}".utf8)
        else { return nil }
        self.kind = String(kind.dropFirst().dropLast())
        let quoted = Array(topic.utf8)
        let text = JSONStringSpan(range: 1..<(quoted.count - 1), hasEscapes: quoted.contains(UInt8(ascii: "\\")))
        guard let name = quoted.withUnsafeBytes({ text.string(in: $0) }) else { return nil }
        self.topic = name
        self.message = message
        self.time = String(time.dropFirst().dropLast())
    }
}

extension ArraySlice<UInt8> {
    /// Removes `text` from the start, if it is there.
    fileprivate mutating func take(_ text: String) -> Bool {
        guard starts(with: text.utf8) else { return false }
        removeFirst(text.utf8.count)
        return true
    }

    /// Removes a JSON value from the start, up to the comma or bracket after it.
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
