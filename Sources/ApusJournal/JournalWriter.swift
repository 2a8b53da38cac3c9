import ApusBroker
import ApusProtocol
import ApusStore
import Dispatch
import Foundation
import NIOCore

/// What the thread of a journal does.
struct JournalWriter: ~Copyable {
    /// About how many bytes are written at once. More is another commit.
    private static let maxCommit = 32 << 20

    let folder: DataFolder
    let catalog: Catalog
    var segments: SegmentWriter
    let reader: JournalReader
    let room: Room
    /// Changes for which there was no room. They go before everything else.
    var unkept = PendingChanges()
    /// What the catalog says of each topic.
    var levels: [UInt32: StoredDurability]
    /// The topics that were of memory and are to be kept from now on. The catalog says so once it is true of what they
    /// bring along.
    var rising: [UInt32: Rising] = [:]
    /// The size of all when `data_bytes` left no room for something; `nil` if it leaves some.
    private var fullSize: Int?
    private(set) var failure: CommitFailure?
    /// Called with each failure, before anybody else hears of it.
    var tell: (CommitFailure) -> Void = { _ in }
    private(set) var figures = JournalFigures()

    init(
        _ folder: DataFolder,
        _ catalog: Catalog,
        _ segments: SegmentWriter,
        _ reader: JournalReader,
        _ room: Room,
        levels: [UInt32: StoredDurability]
    ) {
        self.levels = levels
        self.folder = folder
        self.catalog = catalog
        self.segments = segments
        self.reader = reader
        self.room = room
    }

    /// What a topic had to be kept.
    private struct Taken {
        let topic: Topic
        let isFlushed: Bool
        let records: [BatchRecord]
        let bytes: Int

        init?(_ topic: Topic) {
            guard let uncommitted = topic.takeUncommitted() else { return nil }
            self.topic = topic
            isFlushed = uncommitted.durability == .disk
            records = uncommitted.batches.map { BatchRecord($0, ids: uncommitted.ids) }
            bytes = records.reduce(0) { $0 + $1.frames.readableBytes + RecordHead.size }
        }
    }

    /// - Parameter source: where a topic can be read back: its number, the first offset, and the first of history.
    mutating func write(_ work: DiskJournal.Work, source: (UInt32, Offset, Offset) -> ArchiveSource) {
        let canWrite = keep(work.changes)
        var taken: [Taken] = []
        var bytes = 0
        for topic in work.topics {
            guard let next = Taken(topic) else { continue }
            taken.append(next)
            bytes += next.bytes
            guard bytes >= Self.maxCommit else { continue }
            commit(taken, bytes, canWrite, source)
            (taken, bytes) = ([], 0)
        }
        if !taken.isEmpty { commit(taken, bytes, canWrite, source) }
        for topic in work.topics {
            raise(topic)
            retain(topic)
        }
        for barrier in work.barriers { barrier.settle(.kept) }
        if failure == nil { note { writer throws(JournalError) in try writer.giveUpSegments() } }
        (figures.segments, figures.size, figures.wantedSize) = table.withLock { ($0.count, $0.size, $0.wantedSize) }
    }

    var table: RecordTable { reader.table }

    /// Lets go of what a topic does not need any more.
    private func retain(_ topic: Topic) {
        guard let want = topic.wanted else {
            // What is taken while a topic is deleted may come after that. Before it, a restart finds the topic again.
            if levels[topic.number] == nil { table.withLock { $0.remove(topic: topic.number) } }
            return
        }
        let retention = Retention(want, now: Int64(Date().timeIntervalSince1970 * 1000))
        let kept = table.withLock { $0.retain(topic.number, retention) }
        topic.noteFirst(inJournal: kept?.first ?? .max, ofHistory: kept?.history ?? .max)
    }

    /// Syncs all, so that the next start is quick.
    mutating func finish() {
        guard failure == nil else { return }
        note { writer throws(JournalError) in
            do throws(DiskError) { try writer.segments.finish() } catch { throw writer.problem(error) }
        }
    }

    /// What a failed call comes to: no room may become some, unless a flush had none.
    func problem(_ error: DiskError) -> JournalError {
        if segments.failure != nil { return .failed("\(folder.segmentsPath)/\(error)") }
        return JournalError(error, in: folder)
    }

    // MARK: Messages

    private mutating func commit(
        _ taken: [Taken],
        _ bytes: Int,
        _ canWrite: Commit.Outcome,
        _ source: (UInt32, Offset, Offset) -> ArchiveSource
    ) {
        var outcome = canWrite
        if case .kept = outcome {
            let start = DispatchTime.now().uptimeNanoseconds
            outcome = note { writer throws(JournalError) in
                try writer.makeRoom(for: bytes)
                do throws(JournalError) {
                    try writer.append(taken)
                } catch  where error.isFull {
                    try writer.giveUpMore()
                    try writer.append(taken)
                }
            }
            if case .kept = outcome { figures.commits += 1 }
            figures.times.add(DispatchTime.now().uptimeNanoseconds - start)
        }
        let risen = raise(taken.map(\.topic), after: outcome)
        for one in taken {
            let number = one.topic.number
            let own = rising[number] == nil ? outcome : risen
            settleRise(of: one.topic, own)
            let firsts = table.withLock { $0.firsts(of: number) }
            one.topic.settle(own, in: firsts.map { source(number, $0.first, $0.history) })
        }
    }

    private var size: Int { table.withLock { $0.size } }

    private mutating func makeRoom(for bytes: Int) throws(JournalError) {
        guard room.dataBytes > 0, size + bytes > room.dataBytes else {
            fullSize = nil
            return
        }
        try giveUpSegments()
        guard size + bytes > room.dataBytes else { return }
        try giveUpMore()
        guard size + bytes > room.dataBytes else { return }
        fullSize = size
        throw .full("data_bytes is reached")
    }

    /// Whether there may be room again since something had none.
    mutating func checkRoom() throws(JournalError) {
        guard let fullSize else { return }
        try giveUpSegments()
        guard size < fullSize else { throw .full("data_bytes is reached") }
        self.fullSize = nil
    }

    /// Writes all records in one commit, and flushes it if one of the topics asks for that.
    private mutating func append(_ taken: [Taken]) throws(JournalError) {
        var held = HeldBytes()
        defer { held.releaseAll() }
        var entries: [SegmentWriter.Entry] = []
        for one in taken {
            for record in one.records {
                let batch = RecordHead.Batch(
                    topic: one.topic.number,
                    first: record.first,
                    count: UInt32(record.count),
                    newestTime: record.newestTime,
                    detailsSize: record.details.readableBytes,
                    marksSize: record.marks.readableBytes,
                    framesSize: record.frames.readableBytes
                )
                let parts = [held.hold(record.details), held.hold(record.marks), held.hold(record.frames)]
                entries.append(SegmentWriter.Entry(batch, parts.filter { !$0.isEmpty }))
                figures.messages += UInt64(record.count)
            }
        }
        try append(entries, isFlushed: taken.contains { $0.isFlushed || rising[$0.topic.number] != nil })
    }

    mutating func append(_ entries: [SegmentWriter.Entry], isFlushed: Bool) throws(JournalError) {
        do throws(DiskError) {
            let places = try segments.append(entries, isKept: isFlushed)
            table.withLock { table in
                for (entry, place) in zip(entries, places) { table.append(place, of: entry.batch.topic) }
            }
            figures.bytes += places.reduce(0) { $0 + UInt64($1.sizeOnDisk) }
        } catch {
            throw problem(error)
        }
    }

    // MARK: Failures

    /// Does something, and notes why it failed.
    @discardableResult
    mutating func note(_ body: (inout Self) throws(JournalError) -> Void) -> Commit.Outcome {
        do throws(JournalError) {
            try body(&self)
            return .kept
        } catch {
            figures.failures += 1
            let failure = error.failure
            if failure.isFinal { self.failure = failure }
            tell(failure)
            return .failed(failure)
        }
    }
}

/// Why the thread of a journal could not do something.
enum JournalError: Error {
    /// There was no room, which may change.
    case full(String)
    case failed(String)

    init(_ error: DiskError, in folder: DataFolder) {
        let text = "\(folder.segmentsPath)/\(error)"
        self = error.isFull ? .full(text) : .failed(text)
    }

    init(_ error: CatalogError, in folder: DataFolder) {
        let text = "\(folder.catalogPath): \(error)"
        self = error.isFull ? .full(text) : .failed(text)
    }

    var isFull: Bool {
        if case .full = self { true } else { false }
    }

    var failure: CommitFailure {
        switch self {
        case .full(let text): CommitFailure(message: "There is no room to keep messages: \(text)", isFinal: false)
        case .failed(let text): CommitFailure(message: "Messages cannot be kept any more: \(text)", isFinal: true)
        }
    }
}

/// The bytes of buffers, for as long as a write takes.
private struct HeldBytes: ~Copyable {
    private var storages: [Unmanaged<AnyObject>] = []

    mutating func hold(_ buffer: ByteBuffer) -> UnsafeRawBufferPointer {
        let (bytes, storage) = buffer.withUnsafeReadableBytesWithStorageManagement { ($0, $1.retain()) }
        storages.append(storage)
        return bytes
    }

    mutating func releaseAll() {
        for storage in storages { storage.release() }
        storages = []
    }
}
