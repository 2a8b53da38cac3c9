import ApusProtocol
import NIOCore

/// Parses events from the frames that a hub delivers.
struct EventFrames: Sendable {
    private var rest: ByteBuffer

    /// How many bytes are left.
    var bytes: Int { rest.readableBytes }
    var isAtEnd: Bool { bytes == 0 }

    init(_ frames: ByteBuffer = ByteBuffer()) {
        rest = frames
    }

    mutating func next() -> PubSub.Event? {
        guard let payload = rest.withUnsafeReadableBytes({ FrameHeader.payload(ofFirstOf: $0) }),
            let frame = rest.readSlice(length: payload.upperBound),
            let text = frame.getSlice(at: frame.readerIndex + payload.lowerBound, length: payload.count)
        else { return nil }
        return text.withUnsafeReadableBytes { bytes in
            let event = EventText(bytes)
            let start = text.readerIndex + event.message.lowerBound
            return PubSub.Event(
                topic: event.topic.string(in: bytes) ?? "",
                json: text.getSlice(at: start, length: event.message.count) ?? ByteBuffer(),
                key: event.key?.string(in: bytes),
                offset: event.offset,
                time: event.time.string(in: bytes) ?? ""
            )
        }
    }
}
