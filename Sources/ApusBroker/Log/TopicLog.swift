import ApusProtocol
import BitCollections
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
/// Owned by a ``Topic`` and only touched under its lock. Bounded: ``trim(needed:retainFrom:now:)`` keeps what history and
/// the slowest cursor need, and never more than `bytes`, whole batches at a time.
struct TopicLog {
    struct Limits: Equatable {
        /// How many publications are kept for replay.
        var history: Int
        /// How old they may be, in milliseconds.
        var historyAge: Int64?
        /// How many bytes they may take.
        var historyBytes: Int?
        /// How many bytes of frames are kept at the most, whoever needs them.
        var bytes: Int

        init(history: Int, historyAge: Int64? = nil, historyBytes: Int? = nil, bytes: Int) {
            self.history = history
            self.historyAge = historyAge
            self.historyBytes = historyBytes
            self.bytes = bytes
        }
    }

    /// Frames that are still appended to.
    struct OpenBatch {
        var bytes = ByteBuffer()
        /// Of each frame but the last.
        var marks: [Batch.Mark] = []
        var lastOrigin: UInt32 = 0
        var newestTime: Int64 = .min
        /// By how much the wall clock was ahead; once it has been set, what comes is in another batch.
        var lead: Int64 = 0
    }

    /// An open batch is sealed before it outgrows this size, some 900 messages at the most: a slice is one reasonable
    /// write, and memory goes in small steps. A larger publication is a batch of its own.
    static let batchBytes = 64 * 1024
    /// Fewer publications than this are not sealed for the sake of memory.
    private static let minPart = 16
    /// A batch is not gone on with from this size on: should somebody still hold a slice of it, it is copied. Nor from
    /// this part of a bound in bytes, as a batch is dropped whole.
    private static let (reopenedBytes, reopenedPart) = (16 * 1024, 8)
    private static let allocator = ByteBufferAllocator()

    let template: EventTemplate
    var limits: Limits
    /// The offset the next publication gets.
    private(set) var head: Offset = 1
    var sealed = Deque<Batch>()
    var sealedBytes = 0
    /// Changed where it is: its buffer is never shared before it is sealed.
    private var open = OpenBatch()
    private(set) var isOpen = false
    private var openFirst: Offset = 1
    /// Of the open batch's publications, up to the last that has any.
    private(set) var openDetails: [PublicationDetail] = []
    private var openSuperseded = BitSet()
    /// What the last batch took: the next one probably takes about as much.
    private var expectedBytes = 0
    /// Batches before this have no other encodings than the base any more.
    private var readTo: Offset = 1
    /// The newest publication of each key in the log.
    var newestOfKey: [[UInt8]: Offset] = [:]
    /// Before this, and not before the last look, no batch has come to the last expiry of a publication in it.
    var nextExpiry = Int64.max
    var lastLook = (now: Int64.min, end: Offset(0))
    /// Whether there may be publications that expire, or have.
    var hasLifetimes = false

    init(template: EventTemplate, limits: Limits) {
        self.template = template
        self.limits = limits
    }

    /// The oldest offset that can still be read; `head` when there is none.
    var firstKept: Offset { sealed.first?.first ?? (isOpen ? openFirst : head) }

    /// How many publications the open batch has.
    var openCount: Int { isOpen ? open.marks.count + 1 : 0 }

    /// All bytes of frames in the log.
    var bytes: Int { sealedBytes + open.bytes.readableBytes }

    /// Appends a publication and returns its offset.
    mutating func append(
        _ message: UnsafeRawBufferPointer,
        time: Timestamp,
        origin: UInt32,
        detail: PublicationDetail? = nil
    ) -> Offset {
        let size = template.frameSize(message: message.count)
        // Its buffer would have to be moved to grow beyond that.
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

    /// Adds what the publication at the head has besides its message.
    private mutating func note(_ detail: PublicationDetail, at index: Int) {
        while openDetails.count < index { openDetails.append(.none) }
        openDetails.append(detail)
        if detail.expires != .max { hasLifetimes = true }
        guard let key = detail.key else { return }
        if let older = newestOfKey.updateValue(head, forKey: key) {
            if older >= openFirst {
                openSuperseded.insert(Int(older - openFirst))
            } else if let batch = batch(at: older) {
                batch.details?.supersede(Int(older - batch.first))
            }
        }
    }

    /// Closes the open batch, so that it can be read.
    mutating func seal() {
        guard isOpen else { return }
        var frames = OpenBatch()
        swap(&frames, &open)
        isOpen = false
        var details: BatchDetails?
        if !openDetails.isEmpty {
            while openDetails.count <= frames.marks.count { openDetails.append(.none) }
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

    /// Seals the open batch when it has a good part of what history keeps: batches are dropped whole, so where nobody
    /// reads, and nothing else seals them, a log would keep up to ``batchBytes`` too much.
    mutating func sealPart() {
        if isOpen, open.marks.count + 1 >= max(Self.minPart, limits.history / 4) { seal() }
    }

    /// Goes on with the newest batch where it was sealed, if it is small and all that are to read it have.
    ///
    /// Where publications come one at a time, and are read at once, each would else be three blocks of memory for as
    /// long as history wants it: half as much again.
    mutating func reopen(readTo lowWaterMark: Offset) {
        // Of a bound in age, a batch has the age of its newest.
        guard !isOpen, let index = sealed.indices.last, sealed[index].end <= lowWaterMark, limits.historyAge == nil,
            sealed[index].count < limits.history / 4, sealed[index].size < reopenedBytes,
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

    /// Drops the oldest batches: those that neither history nor the cursor at `needed` wants, and those beyond the
    /// bound in bytes.
    ///
    /// - Parameters:
    ///   - spared: the oldest offset that publishers wait for somebody to read: from there on everything stays.
    ///   - now: on the steady clock, for history's bound in age.
    mutating func trim(needed: Offset, retainFrom: Offset, now: Int64 = .min) {
        while let oldest = sealed.first {
            let isNeeded = oldest.end > needed
            if isNeeded || isHistory(oldest, now: now) {
                guard sealedBytes > limits.bytes, oldest.end <= retainFrom || !isNeeded else { return }
                // The newest publication stays even when it alone is over the bound: it has not been delivered yet.
                guard sealed.count > 1 || !isNeeded else { return }
            }
            sealedBytes -= oldest.size
            sealed.removeFirst()
            if let details = oldest.details, details.haveKeys { forgetKeys(of: oldest, details) }
        }
    }

    /// Has the batches that all readers are through with keep no more than the base encoding.
    mutating func dropEncodings(before offset: Offset) {
        guard var index = index(of: readTo) else { return }
        while index < sealed.endIndex, sealed[index].end <= offset {
            sealed[index].dropOtherEncodings()
            readTo = sealed[index].end
            index += 1
        }
    }

    /// Whether the oldest batch has something that a replay may ask for.
    private func isHistory(_ oldest: Batch, now: Int64) -> Bool {
        let reach = UInt64(limits.history)
        if head > reach, oldest.end <= head - reach { return false }
        if let age = limits.historyAge, max(now, sealed.last?.newestSteady ?? now) - age > oldest.newestSteady {
            return false
        }
        if let bytes = limits.historyBytes, sealedBytes - oldest.size >= bytes { return false }
        return true
    }

    /// - Parameter now: only those whose time is up by then.
    mutating func forgetKeys(of batch: Batch, _ details: BatchDetails, expiredBy now: Int64 = .max) {
        for (index, detail) in details.all.enumerated() where detail.expires <= now {
            guard let key = detail.key, newestOfKey[key] == batch.first + UInt64(index) else { continue }
            newestOfKey[key] = nil
        }
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

    /// The batch with `offset`, found by bisection; `nil` when it is gone, still open, or not published yet.
    func batch(at offset: Offset) -> Batch? {
        guard let index = index(of: offset), sealed[index].first <= offset else { return nil }
        return sealed[index]
    }

    /// The same, of what is still open too.
    mutating func sealedBatch(at offset: Offset) -> Batch? {
        if isOpen, offset >= openFirst { seal() }
        return batch(at: offset)
    }

    /// The place of the first batch that ends behind `offset`.
    func index(of offset: Offset) -> Int? {
        guard let newest, offset < newest.end else { return nil }
        // Where nearly all look.
        if offset >= newest.first { return sealed.endIndex - 1 }
        var low = sealed.startIndex
        var high = sealed.endIndex - 1
        while low < high {
            let middle = (low + high) / 2
            if sealed[middle].end <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The newest sealed batch: what nearly every subscriber reads next.
    var newest: Batch? { sealed.last }
}
