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

    /// What decides how much of a topic is read when a folder is opened.
    package struct Reach: Sendable {
        /// For topics that have no such setting of their own.
        package let history: Int
        /// The most bytes of a topic's messages.
        package let topicBytes: Int

        package init(history: Int, topicBytes: Int) {
            self.history = history
            self.topicBytes = topicBytes
        }
    }

    /// Opens a folder, or makes one.
    ///
    /// - Parameters:
    ///   - dataBytes: the most bytes of messages on the disk; 0 for as many as there is room for.
    ///   - lead: how far the wall clock is ahead of the steady clock, in milliseconds.
    package static func open(
        _ path: String,
        reach: Reach,
        dataBytes: Int = 0,
        segmentSize: Int = SegmentWriter.segmentSize,
        lead: Int64
    ) throws(DataFolderError) -> Opened {
        let folder = try DataFolder(path)
        let catalog = try folder.openCatalog()
        var recovered = try folder.recover(catalog)
        try renumber(&recovered, in: catalog, of: folder)
        let reader = SegmentReader(folder.segments)
        var topics: [RestoredTopic] = []
        topics.reserveCapacity(recovered.catalog.topics.count)
        for row in recovered.catalog.topics {
            var topic = RestoredTopic(row)
            if row.durability != .memory {
                do throws(LogFailure) {
                    try topic.read(recovered.table.records(of: row.number), reader, reach: reach, lead: lead)
                } catch {
                    throw folder.failure(error, recovered.catalog)
                }
            }
            topics.append(topic)
        }
        let segments = SegmentWriter(
            folder.segments,
            number: recovered.nextSegment,
            after: recovered.commit,
            segmentSize: segmentSize
        )
        let room = JournalWriter.Room(dataBytes: dataBytes, segmentSize: segmentSize)
        let writer = JournalWriter(folder, catalog, segments, recovered.table, reader, room)
        return Opened(
            journal: DiskJournal(writer),
            topics: topics,
            lastNumber: recovered.catalog.nextTopic - 1
        )
    }

    /// Gives topics other numbers that are of memory now and have records from before: if they are kept again, their
    /// new records must not be taken for more of those.
    private static func renumber(
        _ recovered: inout DataFolder.Recovered,
        in catalog: Catalog,
        of folder: DataFolder
    ) throws(DataFolderError) {
        let outlived = Set(recovered.outlived)
        guard !outlived.isEmpty else { return }
        var changes: [Catalog.Change] = []
        for var row in recovered.catalog.topics where outlived.contains(row.number) {
            changes.append(.delete(topic: row.number))
            row.number = recovered.catalog.nextTopic + UInt32(changes.count / 2)
            changes.append(.create(row))
        }
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

    /// Reads the newest records, as far as history and the dedupe window reach back.
    fileprivate mutating func read(
        _ places: ArraySlice<RecordPlace>,
        _ reader: SegmentReader,
        reach: DiskJournal.Reach,
        lead: Int64
    ) throws(LogFailure) {
        guard let last = places.last else { return }
        head = max(head, last.end)
        let wanted = UInt64(settings.history ?? reach.history)
        let template = EventTemplate(topic: name, epoch: epoch)
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        let oldestID = settings.dedupeWindow.map { now - $0 } ?? .max
        var bytes = 0
        for place in places.reversed() {
            let isHistory = place.end + wanted > head && bytes < reach.topicBytes
            guard isHistory || place.newestTime >= oldestID else { break }
            let record = try BatchRecord(place, of: number, reader)
            guard let (batch, found) = record.batch(template: template, lead: lead) else {
                let file = SegmentHead.fileName(place.segment)
                throw .damaged(file: file, place: place.place, LostRecord(number, place))
            }
            ids += found.reversed().map { ($0.offset, $0.id, batch.time(at: $0.offset)) }
            if isHistory {
                batches.append(batch)
                bytes += place.size
            }
        }
        batches.reverse()
        ids.reverse()
    }
}

extension BatchRecord {
    fileprivate init(_ place: RecordPlace, of topic: UInt32, _ reader: SegmentReader) throws(LogFailure) {
        var bytes = ByteBufferAllocator().buffer(capacity: place.size)
        var result: Result<RecordHead, LogFailure>?
        bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: place.size) { room in
            let room = UnsafeMutableRawBufferPointer(rebasing: room[..<place.size])
            do throws(LogFailure) {
                result = .success(try reader.read(place, of: topic, into: room))
            } catch {
                result = .failure(error)
            }
            return place.size
        }
        guard let head = try result?.get() else { preconditionFailure("the closure was called") }
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
