public import ApusProtocol
public import NIOCore
import Synchronization

/// Consecutive publications, encoded as WebSocket frames and never changed again: what all subscribers of a topic share.
///
/// ```
/// frames   │ frame 41 │ frame 42   │ frame 43 │
/// ends                ▲            ▲            (the last end is the buffer's own)
/// ```
/// The frames are in the base dialect. Another dialect's are made from them when its first reader comes, and kept beside
/// them for the rest: ``frames(in:)`` holds a leaf lock only for that.
public final class Batch: Sendable {
    /// The offset of the first publication.
    public let first: Offset
    /// How many publications there are; at least 1.
    public let count: Int

    private let base: Frames
    private let template: EventTemplate
    private let v1 = Mutex<Frames?>(nil)

    struct Frames: Sendable {
        var bytes: ByteBuffer
        /// Where each frame but the last ends.
        var ends: [UInt32]
    }

    init(first: Offset, frames: Frames, template: EventTemplate) {
        self.first = first
        self.count = frames.ends.count + 1
        self.base = frames
        self.template = template
    }

    /// The offset after the last publication.
    public var end: Offset { first + UInt64(count) }

    /// How many bytes the base encoding takes.
    var size: Int { base.bytes.readableBytes }

    /// The frames from `offset`, which must lie in this batch, to its end.
    public func slice(from offset: Offset, in dialect: Dialect) -> ByteBuffer {
        let frames = frames(in: dialect)
        if offset == first { return frames.bytes }
        let start = Int(frames.ends[Int(offset - first) - 1])
        let length = frames.bytes.readableBytes - start
        return frames.bytes.getSlice(at: frames.bytes.readerIndex + start, length: length) ?? ByteBuffer()
    }

    private func frames(in dialect: Dialect) -> Frames {
        switch dialect {
        case .base:
            return base
        case .v1:
            return v1.withLock { made in
                if let made { return made }
                let frames = transcoded(to: dialect)
                made = frames
                return frames
            }
        }
    }

    private func transcoded(to dialect: Dialect) -> Frames {
        var frames = Frames(bytes: ByteBuffer(), ends: [])
        frames.bytes.reserveCapacity(base.bytes.readableBytes + count * 8)
        frames.ends.reserveCapacity(base.ends.count)
        base.bytes.withUnsafeReadableBytes { bytes in
            var start = 0
            for index in 0..<count {
                let end = index < base.ends.count ? Int(base.ends[index]) : bytes.count
                let frame = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                template.transcode(frame, to: dialect, into: &frames.bytes)
                if index < base.ends.count { frames.ends.append(UInt32(frames.bytes.readableBytes)) }
                start = end
            }
        }
        return frames
    }
}
