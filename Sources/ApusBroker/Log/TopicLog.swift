import ApusProtocol
import BitCollections
import DequeModule
import NIOCore

/// The only data structure of a topic. Fan-out, every subscriber's queue and replay all read from it.
///
/// ```
///  sealed batches, oldest first          open batch
/// ┌─────────┬─────────┬─────────┐   ┌───────────────┐
/// │ 1 … 64  │ 65 … 70 │ 71 … 99 │ + │ 100, 101, …   │ ← append
/// └─────────┴─────────┴─────────┘   └───────────────┘
///   ▲ firstKept                                      ▲ head: the next offset
/// ```
/// A ``Topic`` owns the log and touches it only under the topic's lock. ``trim(needed:retainFrom:now:)`` keeps what
/// history and the slowest cursor need, and bounds the log by `bytes`. It drops whole batches.
struct TopicLog {
    struct Limits: Equatable {
        /// The number of publications kept for replay.
        var history: Int
        /// The maximum age of publications kept for replay, in milliseconds.
        var historyAge: Int64?
        /// The maximum bytes of publications kept for replay.
        var historyBytes: Int?
        /// The maximum bytes of frames kept, no matter who needs them.
        var bytes: Int
        /// The bytes of history that stay here though they can be read elsewhere.
        var tail: Int

        init(
            history: Int,
            historyAge: Int64? = nil,
            historyBytes: Int? = nil,
            bytes: Int,
            tail: Int = .max
        ) {
            self.history = history
            self.historyAge = historyAge
            self.historyBytes = historyBytes
            self.bytes = bytes
            self.tail = tail
        }
    }

    /// Frames of the batch that still grows.
    struct OpenBatch {
        var bytes = ByteBuffer()
        /// One mark for each frame except the last.
        var marks: [Batch.Mark] = []
        var lastOrigin: UInt32 = 0
        var newestTime: Int64 = .min
        /// How far the wall clock is ahead of the steady clock, in milliseconds. When the wall clock is set, a new
        /// batch begins.
        var lead: Int64 = 0
    }

    /// The open batch is sealed before it exceeds this size, which is some 900 messages at most.
    ///
    /// A slice is then one reasonable write, and memory is freed in small steps. A larger publication is a batch of its
    /// own.
    static let batchBytes = 64 * 1024
    /// Fewer publications than this are not sealed just to save memory.
    private static let minPart = 16
    /// A batch of this size or more is not reopened: if somebody still holds a slice of it, appending copies it.
    ///
    /// Nor is a batch that takes 1/`reopenedPart` or more of a bound in bytes, because batches are dropped whole.
    private static let (reopenedBytes, reopenedPart) = (16 * 1024, 8)
    private static let allocator = ByteBufferAllocator()

    let template: EventTemplate
    var limits: Limits
    /// The offset that the next publication gets.
    var head: Offset
    var sealed = Deque<Batch>()
    var sealedBytes = 0
    /// Changed in place: its buffer is never shared before the batch is sealed.
    var open = OpenBatch()
    var isOpen = false
    var openFirst: Offset = 1
    /// The details of the open batch's publications, up to the last publication that has any.
    private(set) var openDetails: [PublicationDetail] = []
    private var openSuperseded = BitSet()
    /// The size of the last sealed batch. The next one is probably about as large.
    private var expectedBytes = 0
    /// Batches before this offset keep only the base encoding.
    var readTo: Offset = 1
    /// Batches before this offset are not reopened.
    var unopenable: Offset = 0
    /// Publications before this offset are no history, whatever the limits say: they were purged.
    private(set) var historyFrom: Offset = 0
    /// The newest publication of each key in the log.
    var newestOfKey: [KeyText: Offset] = [:]
    /// Between the last look and this time, no batch reaches its last expiry.
    var nextExpiry = Int64.max
    var lastLook = (now: Int64.min, end: Offset(0))
    /// Whether publications in the log may expire or have expired.
    var hasLifetimes = false

    init(template: EventTemplate, limits: Limits, head: Offset = 1) {
        self.template = template
        self.limits = limits
        self.head = head
    }

    /// The oldest offset that can still be read; `head` when there is none.
    var firstKept: Offset { sealed.first?.first ?? (isOpen ? openFirst : head) }

    /// The number of publications in the open batch.
    var openCount: Int { isOpen ? open.marks.count + 1 : 0 }

    /// The bytes of all frames in the log.
    var bytes: Int { sealedBytes + open.bytes.readableBytes }

    /// Appends a publication and returns its offset.
    mutating func append(
        _ message: UnsafeRawBufferPointer,
        time: Timestamp,
        origin: UInt32,
        detail: PublicationDetail? = nil
    ) -> Offset {
        let size = template.frameSize(message: message.count)
        // Beyond this size the buffer would have to move in order to grow.
        if isOpen, open.bytes.readableBytes + size > Self.batchBytes || open.lead != time.lead { seal() }
        if isOpen {
            open.marks.append(Batch.Mark(end: UInt32(open.bytes.readableBytes), origin: open.lastOrigin))
        } else {
            open.bytes = Self.allocator.buffer(capacity: max(size, min(expectedBytes, Self.batchBytes)))
            open.lead = time.lead
            openFirst = head
            isOpen = true
        }
        open.lastOrigin = origin
        open.newestTime = max(open.newestTime, time.milliseconds)
        template.append(message, time: time, to: &open.bytes)
        if let detail { note(detail, at: open.marks.count) }
        let isFull = open.bytes.readableBytes >= Self.batchBytes
        let offset = head
        head += 1
        if isFull { seal() }
        return offset
    }

    /// Stores the key and the lifetime of the publication at the head.
    ///
    /// Marks the older publication with the same key as superseded.
    private mutating func note(_ detail: PublicationDetail, at index: Int) {
        openDetails.append(contentsOf: repeatElement(.none, count: index - openDetails.count))
        openDetails.append(detail)
        if detail.expires != .max { hasLifetimes = true }
        guard let key = detail.key else { return }
        if let older = newestOfKey.updateValue(head, forKey: KeyText(key)) {
            if older >= openFirst {
                openSuperseded.insert(Int(older - openFirst))
            } else if let batch = batch(at: older) {
                batch.details?.supersede(Int(older - batch.first))
            }
        }
    }

    /// Seals the open batch so that it can be read.
    mutating func seal() {
        guard isOpen else { return }
        var frames = OpenBatch()
        swap(&frames, &open)
        isOpen = false
        var details: BatchDetails?
        if !openDetails.isEmpty {
            let rest = frames.marks.count + 1 - openDetails.count
            openDetails.append(contentsOf: repeatElement(.none, count: rest))
            let made = BatchDetails(openDetails, superseded: openSuperseded)
            if made.expire { nextExpiry = min(nextExpiry, made.lastExpiry) }
            details = made
            openDetails = []
            openSuperseded = BitSet()
        }
        let batch = Batch(first: openFirst, open: frames, details: details, template: template)
        expectedBytes = batch.size
        sealedBytes += batch.size
        sealed.append(batch)
    }

    /// Seals the open batch when it holds at least a quarter of what history keeps.
    ///
    /// Without readers, nothing else seals batches. Because batches are dropped whole, a log would then keep up to
    /// ``batchBytes`` too much.
    mutating func sealPart() {
        if isOpen, open.marks.count + 1 >= max(Self.minPart, limits.history / 4) { seal() }
    }

    /// Reopens the newest batch if it is small and all subscriptions have read it.
    ///
    /// When publications arrive and are read one at a time, each would otherwise take three blocks of memory for as
    /// long as it is history. That is half as much again.
    mutating func reopen(readTo lowWaterMark: Offset) {
        // Under a bound in age, a whole batch is as old as its newest publication.
        guard !isOpen, let index = sealed.indices.last, sealed[index].end <= lowWaterMark, limits.historyAge == nil,
            sealed[index].first >= unopenable, sealed[index].count < limits.history / 4,
            sealed[index].size < reopenedBytes,
            sealed[index].canBeReopened, isKnownUniquelyReferenced(&sealed[index])
        else { return }
        let batch = sealed.removeLast()
        sealedBytes -= batch.size
        open = batch.opened
        openFirst = batch.first
        isOpen = true
    }

    private var reopenedBytes: Int {
        min(Self.reopenedBytes, min(limits.bytes, limits.historyBytes ?? .max) / Self.reopenedPart)
    }

    /// Has what is before an offset be no history. It stays as long as a subscription still has to read it.
    mutating func purge(before end: Offset) {
        seal()
        historyFrom = max(historyFrom, end)
        unopenable = max(unopenable, end)
    }

    mutating func removeAll() {
        sealed.removeAll()
        sealedBytes = 0
        open = OpenBatch()
        isOpen = false
        openDetails = []
        openSuperseded = BitSet()
        newestOfKey = [:]
        nextExpiry = .max
        hasLifetimes = false
    }

    /// Finds the sealed batch that contains `offset`, by bisection.
    ///
    /// - Returns: `nil` when the log has dropped the batch, it is still open, or the offset is not published yet.
    func batch(at offset: Offset) -> Batch? {
        guard let index = index(of: offset), sealed[index].first <= offset else { return nil }
        return sealed[index]
    }

    /// Finds the batch that contains `offset`. Seals the open batch if `offset` is in it.
    mutating func sealedBatch(at offset: Offset) -> Batch? {
        if isOpen, offset >= openFirst { seal() }
        return batch(at: offset)
    }

    /// The index of the first batch that ends after `offset`.
    func index(of offset: Offset) -> Int? {
        guard let newest, offset < newest.end else { return nil }
        // Nearly every look-up ends here.
        if offset >= newest.first { return sealed.endIndex - 1 }
        var low = sealed.startIndex
        var high = sealed.endIndex - 1
        while low < high {
            let middle = (low + high) / 2
            if sealed[middle].end <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The newest sealed batch, which nearly every subscriber reads next.
    var newest: Batch? { sealed.last }
}
