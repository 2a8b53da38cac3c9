package import ApusBroker
import ApusProtocol
package import ApusStore
import Foundation
import NIOCore

extension DiskJournal {
    /// What a folder holds.
    package struct Opened: Sendable {
        package let journal: DiskJournal
        package let topics: [RestoredTopic]
        /// The highest number that a topic ever had.
        package let lastNumber: UInt32
    }

    private static let leastSegment = 64 << 10

    /// Opens a folder, or makes one.
    ///
    /// - Parameters:
    ///   - history: how many messages a topic keeps that has no such setting of its own.
    ///   - dataBytes: the most bytes of messages on the disk; 0 for as many as there is room for.
    ///   - lead: how far the wall clock is ahead of the steady clock, in milliseconds.
    ///   - progress: called with the number of segments that are read, and of all.
    ///   - tellDamage: called with what cannot be read later on.
    ///   - tellFailure: called when messages cannot be kept: for good, or because there is no room any more.
    package static func open(
        _ path: String,
        history: Int,
        dataBytes: Int = 0,
        segmentSize: Int = SegmentWriter.segmentSize,
        lead: Int64,
        progress: (Int, Int) -> Void = { _, _ in },
        tellDamage: @escaping @Sendable (DataFolderError) -> Void = { _ in },
        tellFailure: @escaping @Sendable (CommitFailure) -> Void = { _ in }
    ) throws(DataFolderError) -> Opened {
        let folder = try DataFolder(path)
        let catalog = try folder.openCatalog()
        var recovered = try folder.recover(catalog, progress: progress)
        try renumber(&recovered, in: catalog, of: folder)
        let segments = SegmentReader(folder.segments)
        var topics: [RestoredTopic] = []
        topics.reserveCapacity(recovered.catalog.topics.count)
        for row in recovered.catalog.topics {
            var topic = RestoredTopic(row)
            if row.durability != .memory {
                topic.retain(in: &recovered.table, history: history)
                do throws(LogFailure) {
                    try topic.readIDs(recovered.table.records(of: row.number), segments, lead: lead)
                } catch {
                    throw folder.failure(error, recovered.catalog)
                }
            }
            topics.append(topic)
        }
        // A bound wants segments that are small beside it: only whole ones are given up.
        let size = dataBytes > 0 ? min(segmentSize, max(dataBytes / 8, Self.leastSegment)) : segmentSize
        let writer = SegmentWriter(
            folder.segments,
            number: recovered.nextSegment,
            after: recovered.commit,
            segmentSize: size
        )
        let room = JournalWriter.Room(dataBytes: dataBytes, segmentSize: size)
        let levels = Dictionary(uniqueKeysWithValues: recovered.catalog.topics.map { ($0.number, $0.durability) })
        let firsts = topics.map { recovered.table.firsts(of: $0.number) }
        let table = RecordTable(recovered.table)
        let reader = JournalReader(table, segments, in: folder.segmentsPath, lead: lead, tellDamage: tellDamage)
        let journal = DiskJournal(
            JournalWriter(folder, catalog, writer, reader, room, levels: levels),
            reader,
            lead: lead,
            tellFailure: tellFailure
        )
        for (index, kept) in firsts.enumerated() {
            topics[index].archive = kept.map { kept in
                journal.source(of: topics[index].number, first: kept.first, history: kept.history)
            }
        }
        return Opened(journal: journal, topics: topics, lastNumber: recovered.catalog.nextTopic - 1)
    }

    /// Gives topics other numbers that are of memory now and have records from before: if they are kept again, their
    /// new records must not be taken for more of those.
    private static func renumber(
        _ recovered: inout DataFolder.Recovered,
        in catalog: Catalog,
        of folder: DataFolder
    ) throws(DataFolderError) {
        let outlived = Set(recovered.outlived)
        var changes: [Catalog.Change] = []
        for var row in recovered.catalog.topics
        where outlived.contains(row.number) || row.durability == .memory && row.from > 1 {
            row.from = 1
            changes.append(.delete(topic: row.number))
            row.number = recovered.catalog.nextTopic + UInt32(changes.count / 2)
            changes.append(.create(row))
        }
        guard !changes.isEmpty else { return }
        do throws(CatalogError) {
            try catalog.apply(changes)
        } catch {
            throw DataFolderError(error, of: folder.catalogPath)
        }
        recovered.catalog = try folder.load(catalog)
    }
}

extension RestoredTopic {
    fileprivate init(_ row: Catalog.Topic) {
        var settings = TopicSettings()
        var text = row.settings
        let read = text.withUTF8 { TopicSettingsFields.read(UnsafeRawBufferPointer($0), maxQueue: .max) }
        if case .success(let fields) = read { settings.change(to: fields) }
        self.init(
            number: row.number,
            name: String(decoding: row.name, as: UTF8.self),
            // What was in memory is gone, and its positions with it.
            epoch: row.durability == .memory ? MemoryBroker.randomEpoch() : row.epoch,
            settings: settings,
            head: row.durability == .memory ? 1 : max(row.from, 1)
        )
    }

    /// Has the disk keep only what is history.
    fileprivate mutating func retain(in table: inout SegmentTable, history: Int) {
        guard let last = table.records(of: number).last else { return }
        head = max(head, last.end)
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        let window = settings.dedupeWindow.flatMap { table.record(of: number, since: now - $0)?.first }
        let want = JournalWant(
            history: head - min(head, UInt64(settings.history ?? history)),
            historyAge: settings.historyAge,
            historyBytes: settings.historyBytes,
            needed: window ?? .max,
            neededBytes: .max
        )
        table.retain(number, Retention(want, now: now))
    }

    /// Reads the ids that the topic has to recognize. Everything else is read when somebody asks for it.
    fileprivate mutating func readIDs(
        _ places: ArraySlice<RecordPlace>,
        _ reader: SegmentReader,
        lead: Int64
    ) throws(LogFailure) {
        guard let window = settings.dedupeWindow else { return }
        let template = EventTemplate(topic: name, epoch: epoch)
        let oldest = Int64(Date().timeIntervalSince1970 * 1000) - window
        for place in places.reversed() {
            guard place.newestTime >= oldest else { break }
            var (next, found): (Offset, [(offset: Offset, id: String, time: Int64)]) = (place.first, [])
            while next < place.end {
                let batches = try reader.contents(of: place, of: number, from: next) {
                    $0.batch(template: template, lead: lead)
                }
                for (batch, ids) in batches {
                    found += ids.map { ($0.offset, $0.id, batch.time(at: $0.offset)) }
                    next = batch.end
                }
            }
            ids += found.reversed()
        }
        ids.reverse()
    }
}

extension Retention {
    /// - Parameter now: in milliseconds since 1970.
    init(_ want: JournalWant, now: Int64) {
        self.init(
            history: want.history,
            oldest: want.historyAge.map { now - $0 } ?? .min,
            bytes: want.historyBytes ?? .max,
            needed: want.needed,
            neededBytes: want.neededBytes
        )
    }
}

extension SegmentReader {
    /// What is in records from the one that has an offset on, up to the first that is damaged; of at least one.
    ///
    /// - Parameter body: `nil` if it is not what it has to be, though its checksum is right.
    func contents<Contents>(
        of place: RecordPlace,
        of topic: UInt32,
        from offset: Offset,
        _ body: (BatchRecord) -> Contents?
    ) throws(LogFailure) -> [Contents] {
        var bytes = ByteBufferAllocator().buffer(capacity: place.size)
        var result: Result<[(head: RecordHead, range: Range<Int>)], LogFailure>?
        bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: place.size) { room in
            let room = UnsafeMutableRawBufferPointer(rebasing: room[..<place.size])
            do throws(LogFailure) {
                result = .success(try read(place, of: topic, from: offset, into: room))
            } catch {
                result = .failure(error)
            }
            return place.size
        }
        var contents: [Contents] = []
        for (head, range) in try result?.get() ?? [] {
            guard let record = bytes.getSlice(at: range.lowerBound, length: range.count),
                let next = body(BatchRecord(head, record))
            else {
                guard contents.isEmpty else { break }
                let file = SegmentHead.fileName(place.segment)
                throw .damaged(file: file, place: place.place + range.lowerBound, LostRecord(head.batch))
            }
            contents.append(next)
        }
        return contents
    }
}

extension BatchRecord {
    /// - Parameter record: all of it.
    fileprivate init(_ head: RecordHead, _ record: ByteBuffer) {
        var bytes = record
        bytes.moveReaderIndex(forwardBy: RecordHead.size)
        self.init(
            first: head.batch.first,
            count: Int(head.batch.count),
            newestTime: head.batch.newestTime,
            details: bytes.readSlice(length: head.batch.detailsSize) ?? ByteBuffer(),
            marks: bytes.readSlice(length: head.batch.marksSize) ?? ByteBuffer(),
            // A copy, so that the rest of the record does not stay in memory.
            frames: ByteBuffer(buffer: bytes.slice())
        )
    }
}
