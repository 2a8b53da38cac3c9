package import ApusProtocol
import BitCollections
import NIOConcurrencyHelpers
package import NIOCore
import Synchronization

/// Consecutive publications of one topic, encoded as WebSocket frames that never change.
///
/// ```
/// frames   │ frame 41 │ frame 42   │ frame 43 │
/// marks               ▲            ▲            (the buffer's own end is the last one)
/// ```
/// All subscribers of the topic share a batch. The frames are in the base dialect. The first reader of another encoding
/// makes it from these frames. The batch keeps it for other readers until all subscriptions have read the batch. If two
/// loops make the same encoding at once, one does the work in vain. Compression is the exception: no message is
/// compressed twice.
package final class Batch: Sendable {
    /// The offset of the first publication.
    package let first: Offset
    /// The number of publications; at least 1.
    package let count: Int
    /// The newest stamp in the batch, in milliseconds since 1970. Stamps need not rise with offsets.
    let newestTime: Int64
    /// How far the wall clock was ahead of the steady clock when it stamped the batch, in milliseconds.
    let lead: Int64
    /// Keys, lifetimes and traces; `nil` when no publication has any.
    let details: BatchDetails?
    /// Whether each publication is looked at before it is delivered. Otherwise readers hand the batch on as it is.
    let isSelective: Bool
    /// Whether all publications have expired and only their offsets remain.
    let isSpent: Bool

    let base: Frames
    private let lastOrigin: UInt32
    let template: EventTemplate
    private let others = AtomicLazyReference<OtherEncodings>()
    /// Whether other encodings exist or have existed. Loading the reference costs some 500 instructions even when it is
    /// empty.
    private let hasOthers = Atomic(false)

    /// Where a frame ends, and which connection published it.
    struct Mark {
        var end: UInt32
        var origin: UInt32
    }

    struct Frames: Sendable {
        let bytes: ByteBuffer
        /// One mark for each frame except the last.
        let marks: [Mark]
        /// The index in the batch of the first frame.
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

    /// Holds a handful of encodings at most: a linear search is faster than hashing.
    private final class OtherEncodings: Sendable {
        let all = NIOLockedValueBox<[(encoding: EventEncoding, frames: Frames)]>([])
        /// Held during compression. A loop that waits for it waits no longer than its own compression would take.
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
        self.isSelective = details?.isSelective ?? false
        self.isSpent = false
        self.template = template
    }

    /// Makes a batch of frames that were kept before.
    init(first: Offset, frames: Frames, newestTime: Int64, lead: Int64, details: BatchDetails?, template: EventTemplate)
    {
        self.first = first
        count = frames.marks.count + 1
        base = frames
        // Connections of an earlier process are not to be confused with those of today: none has the number 0.
        lastOrigin = 0
        self.newestTime = newestTime
        self.lead = lead
        self.details = details
        isSelective = details?.isSelective ?? false
        isSpent = false
        self.template = template
    }

    /// Makes a batch without contents for publications that have all expired. `newest` holds the last of them.
    ///
    /// It has no detail for each publication.
    init(spent offsets: Range<Offset>, newest: Batch) {
        first = offsets.lowerBound
        count = offsets.count
        base = Frames(bytes: ByteBuffer(), marks: [])
        lastOrigin = 0
        newestTime = newest.newestTime
        lead = newest.lead
        details = BatchDetails([], superseded: BitSet())
        isSelective = true
        isSpent = true
        template = newest.template
    }

    /// The offset after the last publication.
    package var end: Offset { first + UInt64(count) }

    /// The newest stamp, converted to milliseconds on the steady clock.
    var newestSteady: Int64 { newestTime &- lead }

    /// The epoch of the batch's topic.
    var epoch: String { template.epoch }

    /// The bytes of the base encoding.
    package var size: Int { base.bytes.readableBytes }

    /// The frames from `offset` to the end of the batch. `offset` must lie in this batch.
    ///
    /// - Parameter keeps: whether the batch keeps the encoding for other readers. Pass `false` for a replay: its copies
    ///   would stay as long as the log.
    package func slice(from offset: Offset, in encoding: EventEncoding, keeps: Bool) -> ByteBuffer {
        slice(from: offset, of: frames(from: offset, in: encoding, keeps: keeps))
    }

    /// The part of `frames` from `offset` to the end of the batch. `offset` must lie in this batch.
    func slice(from offset: Offset, of frames: Frames) -> ByteBuffer {
        let index = Int(offset - first)
        return index == frames.firstIndex ? frames.bytes : Self.cut(frames, from: index, to: count)
    }

    /// The part of `frames` for a range of offsets in this batch.
    func slice(_ range: Range<Offset>, of frames: Frames) -> ByteBuffer {
        Self.cut(frames, from: Int(range.lowerBound - first), to: Int(range.upperBound - first))
    }

    private static func cut(_ frames: Frames, from index: Int, to limit: Int) -> ByteBuffer {
        let start = frames.start(of: index)
        let length = frames.end(of: limit - 1) - start
        return frames.bytes.getSlice(at: frames.bytes.readerIndex + start, length: length) ?? ByteBuffer()
    }

    /// The connection that published the message at `offset`.
    func origin(at offset: Offset) -> UInt32 {
        let index = Int(offset - first)
        return index < base.marks.count ? base.marks[index].origin : lastOrigin
    }

    /// The bytes of the publications from `offset` on, in the base encoding.
    func bytes(from offset: Offset) -> Int {
        isSpent ? 0 : size - base.start(of: Int(max(offset, first) - first))
    }

    /// Calls `body` with the message at `offset` and its time as RFC 3339 text.
    func withParts<Result>(at offset: Offset, _ body: (EventTemplate.Parts) -> Result) -> Result {
        let index = Int(offset - first)
        return base.bytes.withUnsafeReadableBytes { bytes in
            let frame = UnsafeRawBufferPointer(rebasing: bytes[base.start(of: index)..<base.end(of: index)])
            return body(template.parts(of: frame))
        }
    }

    /// The stamp of the publication at `offset`, in milliseconds since 1970.
    package func time(at offset: Offset) -> Int64 {
        isSpent ? newestTime : withParts(at: offset) { Timestamp.milliseconds(rfc3339: $0.time) ?? newestTime }
    }

    /// The frames in an encoding. The result covers `offset` to the end of the batch and may begin earlier.
    func frames(from offset: Offset, in encoding: EventEncoding, keeps: Bool) -> Frames {
        if encoding == .base { return base }
        let encoding = details?.haveTraces == true ? encoding : encoding.untraced
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

    /// Whether reopening the batch would make nothing stale: it has no details and no other encodings.
    var canBeReopened: Bool { details == nil && !hasOthers.load(ordering: .acquiring) }

    /// The batch's frames as an open batch, ready for more publications.
    var opened: TopicLog.OpenBatch {
        TopicLog.OpenBatch(
            bytes: base.bytes,
            marks: base.marks,
            lastOrigin: lastOrigin,
            newestTime: newestTime,
            lead: lead
        )
    }

    /// Drops all encodings except the base. A later reader makes them again.
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
                    trace: details?.all[index].trace,
                    into: &result
                )
                if index < base.marks.count { marks.append(Mark(end: UInt32(result.readableBytes), origin: 0)) }
            }
        }
        return Frames(bytes: result, marks: marks, firstIndex: firstIndex)
    }

    // MARK: Compression

    /// The frames in a compressed encoding. Messages that compression does not make smaller stay uncompressed.
    ///
    /// The result covers `offset` to the end of the batch and may begin earlier. `encoding` must be a compressed one.
    func deflatedFrames(
        from offset: Offset,
        in encoding: EventEncoding,
        keeps: Bool,
        by deflation: Deflation
    ) -> Frames {
        let encoding = details?.haveTraces == true || !encoding.isTraced ? encoding : encoding.untraced
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

    /// Compresses the frames from `offset` on. Returns the uncompressed frames when no message becomes smaller.
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
