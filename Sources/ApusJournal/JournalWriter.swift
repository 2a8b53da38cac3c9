import ApusBroker
import ApusProtocol
import ApusStore
import Dispatch
import NIOCore

/// What the thread of a journal does.
struct JournalWriter: ~Copyable {
    /// About how many bytes are written at once. More is another commit.
    private static let maxCommit = 32 << 20

    private let folder: DataFolder
    private let catalog: Catalog
    private var segments: SegmentWriter
    /// Changes for which there was no room. They go before everything else.
    private var unkept: [Catalog.Change] = []
    private(set) var failure: CommitFailure?
    private(set) var figures = DiskJournal.Figures()

    /// What a topic had to be kept.
    private struct Taken {
        let topic: Topic
        let isFlushed: Bool
        let records: [BatchRecord]

        init?(_ topic: Topic) {
            guard let uncommitted = topic.takeUncommitted() else { return nil }
            self.topic = topic
            isFlushed = uncommitted.durability == .disk
            records = uncommitted.batches.map { BatchRecord($0, ids: uncommitted.ids) }
        }

        var bytes: Int { records.reduce(0) { $0 + $1.frames.readableBytes } }
    }

    init(_ folder: DataFolder, _ catalog: Catalog, _ segments: SegmentWriter) {
        self.folder = folder
        self.catalog = catalog
        self.segments = segments
    }

    mutating func write(_ work: DiskJournal.Work) {
        let canWrite = keep(work.changes)
        var taken: [Taken] = []
        var bytes = 0
        for topic in work.topics {
            guard let next = Taken(topic) else { continue }
            taken.append(next)
            bytes += next.bytes
            guard bytes >= Self.maxCommit else { continue }
            commit(taken, canWrite)
            (taken, bytes) = ([], 0)
        }
        if !taken.isEmpty { commit(taken, canWrite) }
    }

    /// Keeps changes of topics, and those that could not be kept before.
    private mutating func keep(_ changes: [(change: Catalog.Change, commit: Commit)]) -> Commit.Outcome {
        if let failure {
            for change in changes { change.commit.settle(.failed(failure)) }
            return .failed(failure)
        }
        unkept += changes.map(\.change)
        guard !unkept.isEmpty else { return .kept }
        let outcome: Commit.Outcome
        do throws(CatalogError) {
            try catalog.apply(unkept)
            unkept = []
            outcome = .kept
        } catch {
            outcome = .failed(note("\(folder.catalogPath): \(error)", isFinal: !error.isFull))
        }
        for change in changes { change.commit.settle(outcome) }
        return outcome
    }

    private mutating func commit(_ taken: [Taken], _ canWrite: Commit.Outcome) {
        var outcome = canWrite
        if case .kept = outcome {
            let start = DispatchTime.now().uptimeNanoseconds
            do throws(DiskError) {
                try append(taken)
                figures.commits += 1
            } catch {
                outcome = .failed(note("\(folder.segmentsPath): \(error)", isFinal: !error.isFull))
            }
            figures.time += DispatchTime.now().uptimeNanoseconds - start
        }
        for one in taken { one.topic.settle(outcome) }
    }

    /// Writes all records in one commit, and flushes it if one of the topics asks for that.
    private mutating func append(_ taken: [Taken]) throws(DiskError) {
        var held = HeldBytes()
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
                figures.bytes += UInt64(batch.contentsSize + RecordHead.size)
            }
        }
        defer { held.releaseAll() }
        _ = try segments.append(entries, isKept: taken.contains { $0.isFlushed })
    }

    private mutating func note(_ message: String, isFinal: Bool) -> CommitFailure {
        figures.failures += 1
        let text = isFinal ? "The server cannot keep messages any more" : "There is no room to keep messages"
        let new = CommitFailure(message: "\(text) (\(message))", isFinal: isFinal)
        if isFinal { failure = new }
        return new
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
