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
    ///   - lead: how far the wall clock is ahead of the steady clock, in milliseconds.
    ///   - makeEpoch: makes the epochs of topics that do not outlive a process.
    package static func open(
        _ path: String,
        reach: Reach,
        lead: Int64,
        makeEpoch: () -> String = MemoryBroker.randomEpoch
    ) throws(DataFolderError) -> Opened {
        let folder = try DataFolder(path)
        let catalog = try folder.openCatalog()
        let contents = try folder.load(catalog)
        let names = Dictionary(uniqueKeysWithValues: contents.topics.map { ($0.number, $0.name) })
        do throws(LogFailure) {
            let recovery = try LogRecovery(folder.segments)
            var places = RecordPlaces(recovery)
            let reader = SegmentReader(folder.segments)
            var topics: [RestoredTopic] = []
            topics.reserveCapacity(contents.topics.count)
            for row in contents.topics {
                var topic = try RestoredTopic(row, catalog: folder.catalogPath, makeEpoch: makeEpoch)
                if row.durability != .memory {
                    try topic.read(places.take(row.number), reader, reach: reach, lead: lead)
                }
                topics.append(topic)
            }
            let writer = try writer(folder, after: recovery)
            return Opened(
                journal: DiskJournal(folder, catalog, writer),
                topics: topics,
                lastNumber: contents.nextTopic - 1
            )
        } catch {
            throw DataFolderError(error, in: folder, names: names)
        }
    }

    private static func writer(
        _ folder: DataFolder,
        after recovery: LogRecovery
    ) throws(LogFailure) -> SegmentWriter {
        do throws(DiskError) {
            return try SegmentWriter(folder.segments, number: recovery.nextNumber, after: recovery.commit)
        } catch {
            throw .disk(error)
        }
    }
}

/// Where the records of each topic are, in the order of their offsets.
private struct RecordPlaces {
    private var all: [UInt32: [RecordPlace]] = [:]

    init(_ recovery: LogRecovery) {
        for segment in recovery.segments {
            for found in segment.records {
                all[found.head.batch.topic, default: []]
                    .append(RecordPlace(found.head, segment: segment.number, place: found.place))
            }
        }
    }

    mutating func take(_ topic: UInt32) -> [RecordPlace] {
        // A record that was moved to the end is there twice for a while.
        let places = all.removeValue(forKey: topic) ?? []
        let isSorted = zip(places, places.dropFirst()).allSatisfy { $0.end <= $1.first }
        return isSorted ? places : places.sorted { $0.first < $1.first }
    }
}

extension RestoredTopic {
    fileprivate init(
        _ row: Catalog.Topic,
        catalog path: String,
        makeEpoch: () -> String
    ) throws(LogFailure) {
        var settings = TopicSettings()
        var text = row.settings
        if case .success(let fields) = text.withUTF8({
            TopicSettingsFields.read(UnsafeRawBufferPointer($0), maxQueue: .max)
        }) {
            settings.change(to: fields)
        }
        self.init(
            number: row.number,
            name: String(decoding: row.name, as: UTF8.self),
            epoch: row.durability == .memory ? makeEpoch() : row.epoch,
            settings: settings
        )
    }

    /// Reads the newest records, as far as history reaches back.
    fileprivate mutating func read(
        _ places: [RecordPlace],
        _ reader: SegmentReader,
        reach: DiskJournal.Reach,
        lead: Int64
    ) throws(LogFailure) {
        guard let last = places.last else { return }
        head = last.end
        let wanted = UInt64(settings.history ?? reach.history)
        let template = EventTemplate(topic: name, epoch: epoch)
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        let oldestID = settings.dedupeWindow.map { now - $0 } ?? .max
        var bytes = 0
        var next = last.end
        for place in places.reversed() where place.end == next {
            let isHistory = place.end + wanted > head && bytes < reach.topicBytes
            guard isHistory || place.newestTime >= oldestID else { break }
            let record = try BatchRecord(place, of: number, reader)
            guard let (batch, found) = record.batch(template: template, lead: lead) else {
                throw .damaged(file: SegmentHead.fileName(place.segment), place: place.place, LostRecord(number, place))
            }
            ids += found.reversed().map { ($0.offset, $0.id, batch.time(at: $0.offset)) }
            if isHistory {
                batches.append(batch)
                bytes += place.size
            }
            next = place.first
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
            frames: ByteBuffer(buffer: bytes.slice())
        )
    }
}

extension DataFolderError {
    /// - Parameter names: of the topics, by their numbers.
    fileprivate init(_ error: LogFailure, in folder: DataFolder, names: [UInt32: [UInt8]]) {
        switch error {
        case .disk(let error):
            self = .failed(path: "\(folder.segmentsPath)/\(error.name)", reason: error.reason)
        case .version(let file, let version):
            self = .newer(path: "\(folder.segmentsPath)/\(file)", version: Int64(version))
        case .damaged(let file, let place, let lost):
            self = .damaged(
                Damage(
                    path: "\(folder.segmentsPath)/\(file)",
                    place: place,
                    topic: lost.flatMap { names[$0.topic] },
                    offsets: lost?.offsets
                )
            )
        case .missing(let file):
            self = .damaged(Damage(path: "\(folder.segmentsPath)/\(file)", detail: "the file is missing"))
        }
    }
}
