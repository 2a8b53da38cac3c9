import NIOCore

/// One frame of an event stream.
struct SSEFrame: Equatable {
    var event = ""
    var id: String?
    /// `nil` if the frame has no data line, like the frame with only `id` and `retry`.
    var data: String?
}

/// Splits an event stream into frames (WHATWG HTML, 9.2.6).
///
/// Buffers an incomplete line and the current frame, each at most `limit` bytes.
struct SSEParser {
    struct TooLong: Error {}

    private let limit: Int
    private var buffer = ByteBuffer()
    private var frame = SSEFrame()
    private var isEmpty = true

    init(limit: Int = 16 << 20) {
        self.limit = limit
    }

    /// Takes a piece of the stream, and returns the frames that it completes.
    mutating func receive(_ bytes: ByteBuffer) throws -> [SSEFrame] {
        var bytes = bytes
        buffer.discardReadBytes()
        buffer.writeBuffer(&bytes)
        var frames: [SSEFrame] = []
        while let end = buffer.readableBytesView.firstIndex(of: 0x0A) {
            var line = buffer.readString(length: end - buffer.readerIndex) ?? ""
            buffer.moveReaderIndex(forwardBy: 1)
            if line.utf8.last == 0x0D { line.removeLast() }
            if let frame = take(line) { frames.append(frame) }
        }
        if buffer.readableBytes > limit || (frame.data?.utf8.count ?? 0) > limit { throw TooLong() }
        return frames
    }

    private mutating func take(_ line: String) -> SSEFrame? {
        if line.isEmpty {
            defer {
                frame = SSEFrame()
                isEmpty = true
            }
            return isEmpty ? nil : frame
        }
        // A comment, which is the heartbeat.
        if line.utf8.first == UInt8(ascii: ":") { return nil }
        let colon = line.firstIndex(of: ":") ?? line.endIndex
        var value = line[colon...].dropFirst()
        if value.first == " " { value = value.dropFirst() }
        isEmpty = false
        switch line[..<colon] {
        case "event": frame.event = String(value)
        case "id": frame.id = String(value)
        case "data": frame.data = frame.data.map { $0 + "\n" + value } ?? String(value)
        default: break
        }
        return nil
    }
}
