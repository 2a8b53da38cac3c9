import ApusProtocol
import DequeModule
import NIOCore

/// The one structure of a topic: fan-out, every subscriber's queue, and replay read from it.
///
/// ```
///  sealed batches, oldest first          open batch
/// ┌─────────┬─────────┬─────────┐   ┌───────────────┐
/// │ 1 … 64  │ 65 … 70 │ 71 … 99 │ + │ 100, 101, …   │ ← append
/// └─────────┴─────────┴─────────┘   └───────────────┘
///   ▲ firstKept                                      ▲ head: the next offset
/// ```
/// Owned by a ``Topic`` and only touched under its lock. Bounded: ``trim(needed:)`` keeps what history and the slowest
/// cursor need, and never more than `bytes`, whole batches at a time.
struct TopicLog {
    struct Limits {
        /// How many publications are kept for replay.
        var history: Int
        /// How many bytes of frames are kept at the most, whoever needs them.
        var bytes: Int
    }

    /// Frames that are still appended to.
    private struct OpenBatch {
        var bytes = ByteBuffer()
        /// Where each frame but the last ends.
        var ends: [UInt32] = []
    }

    /// An open batch is sealed at this size, some 900 messages at the most: a slice is one reasonable write, and memory goes
    /// in small steps.
    static let batchBytes = 64 * 1024

    let template: EventTemplate
    let limits: Limits
    /// The offset the next publication gets.
    private(set) var head: Offset = 1
    private var sealed = Deque<Batch>()
    private var sealedBytes = 0
    private var open: OpenBatch?
    private var openFirst: Offset = 1
    /// What the last batch took: the next one probably takes about as much.
    private var expectedBytes = 0

    init(template: EventTemplate, limits: Limits) {
        self.template = template
        self.limits = limits
    }

    /// The oldest offset that can still be read; `head` when there is none.
    var firstKept: Offset { sealed.first?.first ?? (open == nil ? head : openFirst) }

    /// The oldest offset that a replay may start from: history counts publications, not batches.
    var firstOfHistory: Offset {
        let kept = firstKept
        let reach = UInt64(limits.history)
        return head - kept > reach ? head - reach : kept
    }

    /// All bytes of frames in the log.
    var bytes: Int { sealedBytes + (open?.bytes.readableBytes ?? 0) }

    /// Appends a publication and returns its offset.
    mutating func append(_ message: UnsafeRawBufferPointer, time: Timestamp) -> Offset {
        let size = template.frameSize(message: message.count)
        // The open batch is taken out and put back, so that its buffer is never shared and never copied to be changed.
        var frames: OpenBatch
        if let current = open.take() {
            frames = current
            frames.ends.append(UInt32(frames.bytes.readableBytes))
        } else {
            frames = OpenBatch()
            frames.bytes.reserveCapacity(max(size, min(expectedBytes, Self.batchBytes)))
            openFirst = head
        }
        template.append(message, time: time, to: &frames.bytes)
        let isFull = frames.bytes.readableBytes >= Self.batchBytes
        open = frames
        let offset = head
        head += 1
        if isFull { seal() }
        return offset
    }

    /// Closes the open batch, so that it can be read.
    mutating func seal() {
        guard let frames = open.take() else { return }
        let batch = Batch(
            first: openFirst,
            frames: Batch.Frames(bytes: frames.bytes, ends: frames.ends),
            template: template
        )
        expectedBytes = batch.size
        sealedBytes += batch.size
        sealed.append(batch)
    }

    /// Drops the oldest batches: those that neither history nor the cursor at `needed` wants, and those beyond the bound in
    /// bytes. Where publishers wait for the slowest cursor instead, what it needs stays.
    mutating func trim(needed: Offset, mayDropNeeded: Bool) {
        let reach = UInt64(limits.history)
        let wanted = min(needed, head > reach ? head - reach : 0)
        while let oldest = sealed.first {
            if oldest.end > wanted {
                guard sealedBytes > limits.bytes, mayDropNeeded || oldest.end <= needed else { return }
                // The newest publication stays even when it alone is over the bound: it has not been delivered yet.
                guard sealed.count > 1 || oldest.end <= needed else { return }
            }
            sealedBytes -= oldest.size
            sealed.removeFirst()
        }
    }

    mutating func removeAll() {
        sealed.removeAll()
        sealedBytes = 0
        open = nil
    }

    /// The batch with `offset`, found by bisection; `nil` when it is gone, still open, or not published yet.
    func batch(at offset: Offset) -> Batch? {
        var low = sealed.startIndex
        var high = sealed.endIndex
        while low < high {
            let middle = (low + high) / 2
            if sealed[middle].end <= offset { low = middle + 1 } else { high = middle }
        }
        guard low < sealed.endIndex, sealed[low].first <= offset else { return nil }
        return sealed[low]
    }

    /// The newest sealed batch: what nearly every subscriber reads next.
    var newest: Batch? { sealed.last }
}
