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
/// them for the rest. Should two loops come first at once, one's work is thrown away.
public final class Batch: Sendable {
    /// The offset of the first publication.
    public let first: Offset
    /// How many publications there are; at least 1.
    public let count: Int

    private let base: Frames
    private let template: EventTemplate
    private let v1 = AtomicLazyReference<Frames>()

    final class Frames: Sendable {
        let bytes: ByteBuffer
        /// Where each frame but the last ends.
        let ends: [UInt32]

        init(bytes: ByteBuffer, ends: [UInt32]) {
            self.bytes = bytes
            self.ends = ends
        }
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
        case .base: base
        case .v1: v1.load() ?? v1.storeIfNil(transcoded(to: dialect))
        }
    }

    private func transcoded(to dialect: Dialect) -> Frames {
        var result = ByteBuffer()
        var ends: [UInt32] = []
        result.reserveCapacity(base.bytes.readableBytes + count * 8)
        ends.reserveCapacity(base.ends.count)
        base.bytes.withUnsafeReadableBytes { bytes in
            var start = 0
            for index in 0..<count {
                let end = index < base.ends.count ? Int(base.ends[index]) : bytes.count
                let frame = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                template.transcode(frame, to: dialect, into: &result)
                if index < base.ends.count { ends.append(UInt32(result.readableBytes)) }
                start = end
            }
        }
        return Frames(bytes: result, ends: ends)
    }
}
