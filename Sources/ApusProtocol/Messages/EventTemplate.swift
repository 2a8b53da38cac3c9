package import NIOCore

/// The wire format of one topic's events: the whole frame except message and time, prepared once.
///
/// ```
/// header  {"type":"event","topic":"orders","message":  MESSAGE  ,"ts":"  TIME  "}
///         └────────────── prefix ────────────────────┘         └ base: 7 bytes; v1 says "timestamp"
/// ```
/// Prefix and suffix have a fixed size. Copying the middle therefore turns a frame of one encoding into another.
package struct EventTemplate: Sendable {
    /// The topic's name as a quoted JSON string.
    package let topicJSON: [UInt8]
    /// Tells this topic's offsets apart from the offsets of another topic with the same name.
    package let epoch: String
    private let prefix: [UInt8]

    private static var tail: StaticString { "\"}" }

    package init(topic: String, epoch: String = "") {
        var quoted = ByteBuffer()
        appendJSONString(topic, to: &quoted)
        topicJSON = Array(quoted.readableBytesView)
        self.epoch = epoch
        prefix = Array(#"{"type":"event","topic":"#.utf8) + topicJSON + Array(#","message":"#.utf8)
    }

    @inline(__always)
    private func payloadSize(message: Int, dialect: Dialect) -> Int {
        prefix.count + message + dialect.timeKey.size + Timestamp.textSize + Self.tail.size
    }

    /// The size in bytes of a frame in the base dialect, for a message of that size.
    package func frameSize(message: Int) -> Int {
        let payload = payloadSize(message: message, dialect: .base)
        return FrameHeader.size(payload: payload) + payload
    }

    /// Appends the frame of `message` in the base dialect. `message` is a JSON object, copied unchanged.
    package func append(_ message: UnsafeRawBufferPointer, time: Timestamp, to buffer: inout ByteBuffer) {
        buffer.writeTextFrame(payload: payloadSize(message: message.count, dialect: .base)) { writer in
            writer.put(prefix)
            writer.put(message)
            writer.put(Dialect.base.timeKey)
            writer.put(time)
            writer.put(Self.tail)
        }
    }

    /// The published parts of a base frame.
    package struct Parts {
        package let message: UnsafeRawBufferPointer
        /// RFC 3339 text.
        package let time: UnsafeRawBufferPointer
    }

    /// Whether these bytes are a base frame of this template, but for what the message and the time say.
    package func recognizes(_ frame: UnsafeRawBufferPointer) -> Bool {
        let suffix = Dialect.base.timeKey.size + Timestamp.textSize + Self.tail.size
        guard frame.first == 0x80 | Opcode.text.rawValue, let payload = FrameHeader.payload(ofFirstOf: frame),
            payload.upperBound == frame.count, payload.count > prefix.count + suffix,
            frame[payload].starts(with: prefix), frame[payload].last == UInt8(ascii: "}")
        else { return false }
        let key = Dialect.base.timeKey
        let found = frame[(frame.count - suffix)...].prefix(key.size)
        return key.withUTF8Buffer { found.elementsEqual($0) }
    }

    /// Splits a base frame of this template into its parts.
    package func parts(of frame: UnsafeRawBufferPointer) -> Parts {
        let suffix = Dialect.base.timeKey.size + Timestamp.textSize + Self.tail.size
        let start = FrameHeader.size(ofFrame: frame.count) + prefix.count
        let end = frame.count - suffix
        precondition(end >= start, "not a frame of this template")
        let timeStart = end + Dialect.base.timeKey.size
        return Parts(
            message: UnsafeRawBufferPointer(rebasing: frame[start..<end]),
            time: UnsafeRawBufferPointer(rebasing: frame[timeStart..<(timeStart + Timestamp.textSize)])
        )
    }

    /// Appends the event of the base frame `frame` in `encoding`. Does not compress it, even if the encoding is
    /// compressed.
    ///
    /// - Parameters:
    ///   - key: the publication's key as a quoted JSON string, if it has one.
    ///   - offset: the publication's position in the log.
    ///   - trace: the publication's ``TraceContext/json``, if it has a trace.
    package func transcode(
        _ frame: UnsafeRawBufferPointer,
        to encoding: EventEncoding,
        key: [UInt8]?,
        offset: UInt64,
        trace: [UInt8]? = nil,
        into buffer: inout ByteBuffer
    ) {
        let parts = parts(of: frame)
        let members = EventMembers(
            key: encoding.detail == .plain ? nil : key,
            offset: encoding.detail == .positioned ? DecimalText(offset) : nil,
            trace: encoding.isTraced ? trace : nil
        )
        switch encoding.framing {
        case .webSocket, .deflated, .deflatedNarrow:
            let payload = payloadSize(message: parts.message.count, dialect: encoding.dialect)
            buffer.writeTextFrame(payload: payload + members.size) { writer in
                writer.put(prefix)
                writer.put(parts.message)
                members.write { writer.put($0) }
                writer.put(encoding.dialect.timeKey)
                writer.put(parts.time)
                writer.put(Self.tail)
            }
        case .eventStream, .eventStreamWithID:
            buffer.writeStaticString("event: message\n")
            if encoding.framing == .eventStreamWithID { buffer.writeString("id: \(epoch):\(offset)\n") }
            buffer.writeStaticString("data: ")
            buffer.writeBytes(prefix)
            appendLines(parts.message, to: &buffer)
            members.write { buffer.writeBytes($0) }
            buffer.writeString("\(encoding.dialect.timeKey)")
            buffer.writeBytes(parts.time)
            buffer.writeStaticString("\"}\n\n")
        }
    }

    /// Any line break ends a line of an event stream. In JSON, a raw line break can only stand between tokens. There,
    /// one kind of line break is as good as another.
    private func appendLines(_ text: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        guard text.contains(where: { $0 == 0x0A || $0 == 0x0D }) else {
            buffer.writeBytes(text)
            return
        }
        for byte in text {
            if byte == 0x0A || byte == 0x0D {
                buffer.writeStaticString("\ndata: ")
            } else {
                buffer.writeInteger(byte)
            }
        }
    }
}

extension Dialect {
    /// The text between the last field of a server message and its time.
    @inline(__always)
    package var timeKey: StaticString {
        switch self {
        case .base: #","ts":""#
        case .v1: #","timestamp":""#
        }
    }
}
