import ApusBroker
import ApusProtocol
package import ApusStore
import Foundation
import NIOCore

/// Puts topics into a folder, from the lines that ``DataExport`` writes. No server can have the folder meanwhile.
///
/// A topic's row is there with its first message, its messages with their records: what is interrupted leaves the first
/// part of a topic, which can be continued.
package struct DataImport {
    package enum Failure: Error, CustomStringConvertible {
        case folder(DataFolderError)
        case line(Int, String)

        package var description: String {
            switch self {
            case .folder(let error): "\(error)"
            case .line(let number, let reason): "line \(number): \(reason)"
            }
        }
    }

    package struct Options: Sendable {
        /// Whether topics that are there already get what comes after what they have.
        package var resumes = false
        /// Whether topics get new epochs, so that no position from where they come from is taken for one of here.
        package var hasNewEpochs = false

        package init(resumes: Bool = false, hasNewEpochs: Bool = false) {
            (self.resumes, self.hasNewEpochs) = (resumes, hasNewEpochs)
        }
    }

    /// How many offsets without a message may be between two messages. They get one that has expired.
    package static let maxGap: UInt64 = 1_000_000

    private let folder: DataFolder
    private let catalog: Catalog
    private let options: Options
    private var writer: SegmentWriter
    private let table: SegmentTable
    private var rows: [String: Catalog.Topic] = [:]
    /// Where topics go on that were taken.
    private var ends: [UInt32: UInt64] = [:]
    private var nextNumber: UInt32
    private var current: Current?
    private var line = 0
    package private(set) var topics = 0
    package private(set) var messages = 0

    /// The topic that lines are for.
    private struct Current {
        var header: ImportLine.Topic
        /// `nil` until there is a message.
        var row: Catalog.Topic?
        /// The offset after the last one.
        var next: UInt64 = 0
        /// What was there before this.
        var known: UInt64 = 0
        var pending: [KeptMessage] = []
        var ids: [(offset: UInt64, id: String)] = []
        var pendingBytes = 0
        var lastTime: Int64 = 0
    }

    package init(_ path: String, _ options: Options = Options()) throws(DataFolderError) {
        folder = try DataFolder(path)
        catalog = try folder.openCatalog()
        let recovered = try folder.recover(catalog)
        self.options = options
        table = recovered.table
        writer = SegmentWriter(folder.segments, number: recovered.nextSegment, after: recovered.commit)
        nextNumber = recovered.catalog.nextTopic
        for topic in recovered.catalog.topics { rows[topic.text] = topic }
    }

    /// What is in of the topic that lines are for now: its name, and its last offset.
    package var place: (topic: String, last: UInt64)? {
        current.flatMap { current in current.row.map { (current.header.name, max(current.next, $0.from) - 1) } }
    }

    package mutating func take(_ text: String) throws(Failure) {
        line += 1
        guard !text.utf8.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) else { return }
        let found: ImportLine
        do throws(LineError) { found = try ImportLine(text) } catch { throw .line(line, error.reason) }
        switch found {
        case .topic(let topic):
            try finishTopic()
            try begin(topic)
        case .message(let message):
            try take(message)
        case .gone(let offsets):
            guard let topic = current else { throw .line(line, "there are offsets before any topic") }
            if topic.row == nil { try make(from: offsets.lowerBound) }
            try fill(upTo: offsets.upperBound + 1, time: topic.lastTime)
        }
    }

    /// Ends when all lines were taken.
    package mutating func finish() throws(Failure) {
        try finishTopic()
        try close()
    }

    /// Ends after a failure: what was taken before that is in.
    package mutating func stop() throws(Failure) {
        try flush()
        try close()
    }

    private mutating func close() throws(Failure) {
        try onDisk { writer throws(DiskError) in try writer.finish() }
    }

    // MARK: Topics

    private mutating func begin(_ topic: ImportLine.Topic) throws(Failure) {
        current = Current(header: topic)
        guard let row = rows[topic.name] else { return }
        let name = "topic '\(topic.name)'"
        guard options.resumes else {
            throw .line(line, "\(name) is there already; to continue an import that was interrupted, say --resume")
        }
        guard options.hasNewEpochs || topic.epoch == row.epoch else {
            throw .line(line, "\(name) is there already, and is another one: its epoch is not the same")
        }
        current?.row = row
        let end = ends[row.number] ?? max(row.from, table.records(of: row.number).last?.end ?? 1)
        current?.next = end
        current?.known = end
    }

    /// Makes the row of a topic that goes on with an offset.
    private mutating func make(from offset: UInt64) throws(Failure) {
        guard let header = current?.header else { return }
        let durability = StoredDurability(header.settings.durability ?? .disk)
        let row = Catalog.Topic(
            number: nextNumber,
            name: Array(header.name.utf8),
            epoch: (options.hasNewEpochs ? nil : header.epoch) ?? MemoryBroker.randomEpoch(),
            durability: durability,
            settings: "{" + header.settings.fields.members.joined(separator: ", ") + "}",
            created: header.created ?? Int64(Date().timeIntervalSince1970 * 1000),
            from: offset
        )
        do throws(CatalogError) { try catalog.apply([.create(row)]) } catch {
            throw .folder(DataFolderError(error, of: folder.catalogPath))
        }
        nextNumber += 1
        rows[header.name] = row
        current?.row = row
        current?.next = offset
        topics += 1
    }

    private mutating func finishTopic() throws(Failure) {
        guard let topic = current else { return }
        if topic.row == nil {
            try make(from: topic.header.next ?? 1)
        }
        try flush()
        try onDisk { writer throws(DiskError) in try writer.sync() }
        if let current, let row = current.row { ends[row.number] = current.next }
        if let end = topic.header.next, let next = current?.next, next < end {
            throw .line(line, "the input is cut: '\(topic.header.name)' should go on to offset \(end - 1)")
        }
        current = nil
    }

    // MARK: Messages

    private mutating func take(_ message: ImportLine.Message) throws(Failure) {
        guard let topic = current else { throw .line(line, "there is a message before any topic") }
        if topic.row == nil { try make(from: message.offset ?? 1) }
        guard let row = current?.row, let next = current?.next else { return }
        guard row.durability != .memory else {
            throw .line(line, "topic '\(topic.header.name)' keeps nothing on the disk: its durability is memory")
        }
        let offset = message.offset ?? next
        if offset < next {
            guard offset < topic.known, next == topic.known else {
                throw .line(line, "offset \(offset) comes after offset \(next - 1)")
            }
            return
        }
        try fill(upTo: offset, time: message.time)
        append(
            KeptMessage(
                offset: offset,
                message: message.text,
                key: message.key,
                time: message.time,
                expires: message.expires,
                trace: message.trace?.json
            )
        )
        if topic.header.settings.dedupeWindow != nil { current?.ids.append((offset, message.id)) }
        messages += 1
        try flushIfFull()
    }

    /// Has offsets without a message get one that has expired: offsets have no gaps.
    private mutating func fill(upTo end: UInt64, time: Int64) throws(Failure) {
        guard let next = current?.next, next < end else { return }
        guard end - next <= Self.maxGap else {
            throw .line(line, "offsets \(next) to \(end - 1) have no message, which is more than \(Self.maxGap)")
        }
        for offset in next..<end {
            append(KeptMessage(offset: offset, message: Array("{}".utf8), time: time, expires: 0))
            try flushIfFull()
        }
    }

    private mutating func append(_ message: KeptMessage) {
        current?.pending.append(message)
        current?.pendingBytes += message.message.count + Self.overhead
        current?.next = message.offset + 1
        current?.lastTime = message.time
    }

    /// About how many bytes a frame has beside its message.
    private static let overhead = 100

    private mutating func flushIfFull() throws(Failure) {
        guard let topic = current, topic.pendingBytes >= BatchRecord.frameBytes else { return }
        try flush()
    }

    private mutating func flush() throws(Failure) {
        guard let topic = current, let row = topic.row, !topic.pending.isEmpty else { return }
        let record = BatchRecord(topic.pending, ids: topic.ids, template: row.template)
        let batch = RecordHead.Batch(
            topic: row.number,
            first: record.first,
            count: UInt32(record.count),
            newestTime: record.newestTime,
            detailsSize: record.details.readableBytes,
            marksSize: record.marks.readableBytes,
            framesSize: record.frames.readableBytes
        )
        var contents = record.details
        contents.writeImmutableBuffer(record.marks)
        contents.writeImmutableBuffer(record.frames)
        try onDisk { writer throws(DiskError) in
            var failure: DiskError?
            contents.withUnsafeReadableBytes { bytes in
                let entry = SegmentWriter.Entry(batch, [bytes])
                do throws(DiskError) { _ = try writer.append([entry], isKept: false) } catch { failure = error }
            }
            if let failure { throw failure }
        }
        current?.pending = []
        current?.ids = []
        current?.pendingBytes = 0
    }

    private mutating func onDisk(_ body: (inout SegmentWriter) throws(DiskError) -> Void) throws(Failure) {
        do throws(DiskError) { try body(&writer) } catch {
            throw .folder(.failed(path: "\(folder.segmentsPath)/\(error.name)", reason: error.reason))
        }
    }
}
