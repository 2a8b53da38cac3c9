public import NIOCore

/// How one topic's events look on the wire: everything of the frame but the message and the time, made once.
///
/// ```
/// header  {"type":"event","topic":"orders","message":  MESSAGE  ,"ts":"  TIME  "}
///         └────────────── prefix ────────────────────┘         └ base: 7 bytes; v1 says "timestamp"
/// ```
/// Prefix and suffix have a fixed size, so a frame of one dialect is turned into the other's by copying its middle.
public struct EventTemplate: Sendable {
    /// The topic's name as a quoted JSON string.
    public let topicJSON: [UInt8]
    private let prefix: [UInt8]

    private static let tail: StaticString = "\"}"

    public init(topic: String) {
        var quoted = ByteBuffer()
        appendJSONString(topic, to: &quoted)
        topicJSON = Array(quoted.readableBytesView)
        prefix = Array(#"{"type":"event","topic":"#.utf8) + topicJSON + Array(#","message":"#.utf8)
    }

    private func payloadSize(message: Int, dialect: Dialect) -> Int {
        prefix.count + message + dialect.timeKey.size + Timestamp.textSize + Self.tail.size
    }

    /// How many bytes the frame of a message of that size takes in the base dialect.
    public func frameSize(message: Int) -> Int {
        let payload = payloadSize(message: message, dialect: .base)
        return FrameHeader.size(payload: payload) + payload
    }

    /// Appends the frame of `message`, a JSON object that is copied as it is, in the base dialect.
    public func append(_ message: UnsafeRawBufferPointer, time: Timestamp, to buffer: inout ByteBuffer) {
        buffer.writeTextFrame(payload: payloadSize(message: message.count, dialect: .base)) { writer in
            writer.put(prefix)
            writer.put(message)
            writer.put(Dialect.base.timeKey)
            writer.put(time)
            writer.put(Self.tail)
        }
    }

    /// Appends, in `dialect`, the event whose base frame is `frame`.
    public func transcode(_ frame: UnsafeRawBufferPointer, to dialect: Dialect, into buffer: inout ByteBuffer) {
        let suffix = Timestamp.textSize + Self.tail.size
        let fixed = prefix.count + Dialect.base.timeKey.size + suffix
        // The header's size follows from the frame's: 2 up to 125 bytes of payload, 4 up to 65,535, else 10.
        let header = frame.count - 2 < 126 ? 2 : frame.count - 4 <= 0xFFFF ? 4 : 10
        let message = frame.count - header - fixed
        precondition(message >= 0, "not a frame of this template")
        buffer.writeTextFrame(payload: payloadSize(message: message, dialect: dialect)) { writer in
            writer.put(UnsafeRawBufferPointer(rebasing: frame[header..<(header + prefix.count + message)]))
            writer.put(dialect.timeKey)
            writer.put(UnsafeRawBufferPointer(rebasing: frame[(frame.count - suffix)...]))
        }
    }
}

extension Dialect {
    /// What stands between a server message's last field and the time's text.
    var timeKey: StaticString {
        switch self {
        case .base: #","ts":""#
        case .v1: #","timestamp":""#
        }
    }
}
