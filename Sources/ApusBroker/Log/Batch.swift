public import ApusProtocol
import BitCollections
import NIOConcurrencyHelpers
public import NIOCore
import Synchronization

/// Consecutive publications, encoded as WebSocket frames and never changed again: what all subscribers of a topic
/// share.
///
/// ```
/// frames   │ frame 41 │ frame 42   │ frame 43 │
/// marks               ▲            ▲            (the last end is the buffer's own)
/// ```
/// The frames are in the base dialect. Other encodings are made from them when their first reader comes, and kept
/// beside them for the rest, until all have read the batch. Should two loops come first at once, one's work is for
/// nothing, except that nothing is compressed twice.
public final class Batch: Sendable {
    /// The offset of the first publication.
    public let first: Offset
    /// How many publications there are; at least 1.
    public let count: Int
    /// The newest publication's stamp, in milliseconds since 1970; stamps need not rise with offsets.
    let newestTime: Int64
    /// By how much the wall clock, which stamped them all, was ahead of the steady one.
    let lead: Int64
    /// What some of them have besides a message; `nil` when none has.
    let details: BatchDetails?
    /// Whether all of them had expired and only their places are left.
    let isSpent: Bool

    let base: Frames
    private let lastOrigin: UInt32
    let template: EventTemplate
    private let others = AtomicLazyReference<OtherEncodings>()
    /// Whether there are or were any of them: looking for them costs some 500 instructions even where there are none.
    private let hasOthers = Atomic(false)

    /// Where a frame ends, and who published it.
    struct Mark {
        var end: UInt32
        var origin: UInt32
    }

    struct Frames: Sendable {
        let bytes: ByteBuffer
        /// Of each frame but the last.
        let marks: [Mark]
        /// Which publication of the batch the first frame is.
        let firstIndex: Int

        init(bytes: ByteBuffer, marks: [Mark], firstIndex: Int = 0) {
            self.bytes = bytes
            self.marks = marks
            self.firstIndex = firstIndex
        }

        func start(of index: Int) -> Int { index == firstIndex ? 0 : Int(marks[index - firstIndex - 1].end) }

        func end(of index: Int) -> Int {
            let place = index - firstIndex
            return place < marks.count ? Int(marks[place].end) : bytes.readableBytes
        }
    }

    /// A handful at the most: searching them one by one is faster than hashing.
    private final class OtherEncodings: Sendable {
        let all = NIOLockedValueBox<[(encoding: EventEncoding, frames: Frames)]>([])
        /// Held while messages are compressed: who comes meanwhile waits for no longer than it would take him.
        let compressing = NIOLock()
    }

    init(first: Offset, open: TopicLog.OpenBatch, details: BatchDetails?, template: EventTemplate) {
        self.first = first
        self.count = open.marks.count + 1
        self.base = Frames(bytes: open.bytes, marks: open.marks)
        self.lastOrigin = open.lastOrigin
        self.newestTime = open.newestTime
        self.lead = open.lead
        self.details = details
        self.isSpent = false
        self.template = template
    }

    /// What is left of publications that have all expired, the last of them in `newest`.
    ///
    /// It has details, so that nobody takes it for one that can be handed on as it is, but not of each publication.
    init(spent offsets: Range<Offset>, newest: Batch) {
        first = offsets.lowerBound
        count = offsets.count
        base = Frames(bytes: ByteBuffer(), marks: [])
        lastOrigin = 0
        newestTime = newest.newestTime
        lead = newest.lead
        details = BatchDetails([], superseded: BitSet())
        isSpent = true
        template = newest.template
    }

    /// The offset after the last publication.
    public var end: Offset { first + UInt64(count) }

    /// When the newest publication was made, on the steady clock.
    var newestSteady: Int64 { newestTime &- lead }

    /// That of its topic.
    var epoch: String { template.epoch }

    /// How many bytes the base encoding takes.
    var size: Int { base.bytes.readableBytes }

    /// The frames from `offset`, which must lie in this batch, to its end.
    ///
    /// - Parameter keeps: whether others will read them in this encoding too; not of a replay, whose copies would stay
    ///   for as long as the log.
    public func slice(from offset: Offset, in encoding: EventEncoding, keeps: Bool) -> ByteBuffer {
        slice(from: offset, of: frames(from: offset, in: encoding, keeps: keeps))
    }

    /// The part of some frames of this batch from an offset in it to its end.
    func slice(from offset: Offset, of frames: Frames) -> ByteBuffer {
        let index = Int(offset - first)
        return index == frames.firstIndex ? frames.bytes : Self.cut(frames, from: index, to: count)
    }

    /// The part of some frames of this batch that a range of offsets in it takes.
    func slice(_ range: Range<Offset>, of frames: Frames) -> ByteBuffer {
        Self.cut(frames, from: Int(range.lowerBound - first), to: Int(range.upperBound - first))
    }

    private static func cut(_ frames: Frames, from index: Int, to limit: Int) -> ByteBuffer {
        let start = frames.start(of: index)
        let length = frames.end(of: limit - 1) - start
        return frames.bytes.getSlice(at: frames.bytes.readerIndex + start, length: length) ?? ByteBuffer()
    }

    /// Who published at `offset`.
    func origin(at offset: Offset) -> UInt32 {
        let index = Int(offset - first)
        return index < base.marks.count ? base.marks[index].origin : lastOrigin
    }

    /// How many bytes the publications from `offset` on take in the base encoding.
    func bytes(from offset: Offset) -> Int {
        isSpent ? 0 : size - base.start(of: Int(max(offset, first) - first))
    }

    /// Gives `body` the message at `offset` and its time as RFC 3339.
    func withParts<Result>(at offset: Offset, _ body: (EventTemplate.Parts) -> Result) -> Result {
        let index = Int(offset - first)
        return base.bytes.withUnsafeReadableBytes { bytes in
            let frame = UnsafeRawBufferPointer(rebasing: bytes[base.start(of: index)..<base.end(of: index)])
            return body(template.parts(of: frame))
        }
    }

    /// The stamp of the publication at `offset`, in milliseconds since 1970.
    func time(at offset: Offset) -> Int64 {
        isSpent ? newestTime : withParts(at: offset) { Timestamp.milliseconds(rfc3339: $0.time) ?? newestTime }
    }

    /// At least the frames from `offset` on in an encoding.
    func frames(from offset: Offset, in encoding: EventEncoding, keeps: Bool) -> Frames {
        if encoding == .base { return base }
        if let known = known(encoding) { return known }
        let frames = transcoded(to: encoding, from: keeps ? 0 : Int(offset - first))
        if keeps { keep(frames, in: encoding) }
        return frames
    }

    private func known(_ encoding: EventEncoding) -> Frames? {
        others.load()?.all.withLockedValue { all in all.first { $0.encoding == encoding }?.frames }
    }

    private func keep(_ frames: Frames, in encoding: EventEncoding) {
        hasOthers.store(true, ordering: .releasing)
        let others = others.load() ?? others.storeIfNil(OtherEncodings())
        others.all.withLockedValue { $0.append((encoding, frames)) }
    }

    /// Whether it has nothing that would have to be made again for a batch that has grown.
    var canBeReopened: Bool { details == nil && !hasOthers.load(ordering: .acquiring) }

    /// Its frames, to be appended to.
    var opened: TopicLog.OpenBatch {
        TopicLog.OpenBatch(
            bytes: base.bytes,
            marks: base.marks,
            lastOrigin: lastOrigin,
            newestTime: newestTime,
            lead: lead
        )
    }

    /// Lets go of all encodings but the base: nobody is about to read the batch. Who does makes them again.
    func dropOtherEncodings() {
        guard hasOthers.load(ordering: .acquiring) else { return }
        others.load()?.all.withLockedValue { $0 = [] }
    }

    private func transcoded(to encoding: EventEncoding, from firstIndex: Int) -> Frames {
        var result = ByteBuffer()
        var marks: [Mark] = []
        let size = base.bytes.readableBytes - base.start(of: firstIndex)
        result.reserveCapacity(size + (count - firstIndex) * 32)
        marks.reserveCapacity(count - firstIndex)
        base.bytes.withUnsafeReadableBytes { bytes in
            for index in firstIndex..<count {
                let frame = UnsafeRawBufferPointer(rebasing: bytes[base.start(of: index)..<base.end(of: index)])
                template.transcode(
                    frame,
                    to: encoding,
                    key: details?.all[index].key,
                    offset: first + UInt64(index),
                    into: &result
                )
                if index < base.marks.count { marks.append(Mark(end: UInt32(result.readableBytes), origin: 0)) }
            }
        }
        return Frames(bytes: result, marks: marks, firstIndex: firstIndex)
    }

    // MARK: Compression

    /// At least the frames from `offset` on, compressed as far as that is worth it; `encoding` is one of those that
    /// are.
    func deflatedFrames(
        from offset: Offset,
        in encoding: EventEncoding,
        keeps: Bool,
        by deflation: Deflation
    ) -> Frames {
        if let known = known(encoding) { return known }
        guard keeps else {
            if let known = deflation.replays.find(self, from: Int(offset - first), in: encoding) { return known }
            let (frames, isSmaller) = deflated(from: offset, in: encoding, by: deflation.compressor)
            if isSmaller { deflation.replays.insert(frames, of: self, in: encoding) }
            return frames
        }
        let others = others.load() ?? others.storeIfNil(OtherEncodings())
        return others.compressing.withLock {
            if let known = known(encoding) { return known }
            let (frames, _) = deflated(from: first, in: encoding, by: deflation.compressor)
            keep(frames, in: encoding)
            return frames
        }
    }

    /// The uncompressed frames themselves where none of them can be made smaller.
    private func deflated(
        from offset: Offset,
        in encoding: EventEncoding,
        by compressor: MessageCompressor
    ) -> (Frames, isSmaller: Bool) {
        let source = frames(from: offset, in: encoding.inflated, keeps: false)
        let start = Int(offset - first)
        let minimum = compressor.settings.minimumSize
        guard let window = encoding.framing.window,
            (start..<count).contains(where: { source.end(of: $0) - source.start(of: $0) >= minimum })
        else { return (source, false) }
        var result = ByteBuffer()
        var marks: [Mark] = []
        marks.reserveCapacity(count - start)
        var isSmaller = false
        source.bytes.withUnsafeReadableBytes { bytes in
            for index in start..<count {
                let frame = bytes[source.start(of: index)..<source.end(of: index)]
                let message = UnsafeRawBufferPointer(rebasing: frame.dropFirst(FrameHeader.size(ofFrame: frame.count)))
                if compressor.append(message, for: window, to: &result) { isSmaller = true }
                if index < count - 1 { marks.append(Mark(end: UInt32(result.readableBytes), origin: 0)) }
            }
        }
        return isSmaller ? (Frames(bytes: result, marks: marks, firstIndex: start), true) : (source, false)
    }
}
