import ApusTesting
import Synchronization

@testable import ApusStore

/// A log whose segments are given up and cleaned while it is written, on a disk that crashes.
struct RetentionWorld {
    /// What must never happen.
    enum Violation: Error, Equatable {
        /// A record is not one that was written.
        case changed(topic: UInt32, offset: UInt64)
        /// Offsets of a topic do not follow each other.
        case gap(topic: UInt32, offset: UInt64)
        /// An offset that was kept is gone.
        case lost(topic: UInt32, offset: UInt64)
        /// A topic would give an offset again that somebody may have seen.
        case reused(topic: UInt32, offset: UInt64)
        /// Files that nothing is known of.
        case left([String])
    }

    /// What is done wrong on purpose, for the test of the test.
    enum Fault: CaseIterable {
        /// Segments are given up for what is not synced yet.
        case doesNotSync
        /// Files are removed before the catalog knows.
        case removesFirst
        /// The catalog does not learn where topics go on of which nothing is left.
        case forgetsOffsets
        /// Segments are given up although something of them is wanted.
        case givesUpTooMuch
    }

    struct Record {
        var offsets: Range<UInt64>
        var contents: [UInt8]
    }

    struct Topic {
        var records: [Record] = []
        /// What is wanted.
        var from: UInt64 = 1
        var end: UInt64 = 1
        /// The end that must survive everything.
        var keptEnd: UInt64 = 1
    }

    let disk = SimulatedDisk()
    let fault: Fault?
    /// In half of the worlds records are joined wherever they can be.
    let exactness: Int
    var generator: SeededGenerator
    /// SQLite, of which is known that it changes as a whole.
    var catalog = Catalog.Contents()
    var topics: [UInt32: Topic] = [:]
    var table: SegmentTable
    var writer: SegmentWriter
    var (removed, moved, joined) = (0, 0, 0)

    init(seed: UInt64, fault: Fault? = nil) throws {
        generator = SeededGenerator(seed: seed)
        self.fault = fault
        exactness = seed.isMultiple(of: 2) ? 1 : TopicRecords.exactness
        table = SegmentTable(exactness: exactness)
        writer = SegmentWriter(disk, number: 1, after: 0)
        try recover()
        for _ in 0..<4 { try create() }
    }

    // MARK: The catalog

    private mutating func apply(_ change: (inout Catalog.Contents) -> Void) throws(DiskError) {
        let (runs, isLast) = disk.state.withLock { ($0.spend(), $0.callsLeft == 0) }
        // What is under way when the machine stops may have happened.
        if runs || isLast && generator.chance(50) { change(&catalog) }
        if !runs { throw DiskError("catalog", "", code: 5) }
    }

    private mutating func create() throws(DiskError) {
        let number = catalog.nextTopic
        try apply { catalog in
            catalog.nextTopic = number + 1
            catalog.topics.append(
                Catalog.Topic(number: number, name: [], epoch: "", durability: .disk, settings: "", created: 0)
            )
        }
        topics[number] = Topic()
    }

    // MARK: Steps

    /// Does things until the machine stops.
    mutating func work(calls: Int) {
        disk.state.withLock { $0.callsLeft = calls }
        do throws(DiskError) {
            while true { try step() }
        } catch {
            // The machine has stopped.
        }
    }

    private mutating func step() throws(DiskError) {
        guard let number = topics.keys.sorted().randomElement(using: &generator), let topic = topics[number] else {
            return try create()
        }
        switch Int.random(in: 0..<20, using: &generator) {
        case 0..<9:
            try append()
        case 9..<13:
            let all = generator.chance(40)
            let from = all ? topic.end : UInt64.random(in: topic.from...topic.end, using: &generator)
            topics[number]?.from = from
            table.want(number, from: from)
        case 13..<16:
            if let segment = table.unwanted.min() { try giveUp(segment) }
        case 16..<18:
            if let segment = table.thin.min() { try clean(segment) }
        case 18:
            try writer.finish()
            keepAll()
        default:
            guard generator.chance(30) else { return }
            try apply { $0.topics.removeAll { $0.number == number } }
            topics[number] = nil
            table.remove(topic: number)
            try create()
        }
    }

    private mutating func append() throws(DiskError) {
        let single = exactness == 1 && Bool.random(using: &generator) ? topics.keys.max() : nil
        let numbers = single.map { [$0] } ?? topics.keys.sorted().filter { _ in Bool.random(using: &generator) }
        guard !numbers.isEmpty else { return }
        var entries: [(batch: RecordHead.Batch, contents: [UInt8])] = []
        for number in numbers {
            let first = topics[number]?.end ?? 1
            let offsets = first..<first + UInt64.random(in: 1...9, using: &generator)
            let count = Int.random(in: 0...700, using: &generator)
            let contents = generator.bytes(count)
            topics[number]?.records.append(Record(offsets: offsets, contents: contents))
            topics[number]?.end = offsets.upperBound
            entries.append((Self.batch(number, offsets, size: count), contents))
        }
        let isKept = Bool.random(using: &generator)
        let places = try writer.append(entries, isKept: isKept)
        for (number, place) in zip(numbers, places) { table.append(place, of: number) }
        if isKept { keepAll() }
    }

    private static func batch(_ topic: UInt32, _ offsets: Range<UInt64>, size: Int) -> RecordHead.Batch {
        RecordHead.Batch(
            topic: topic,
            first: offsets.lowerBound,
            count: UInt32(offsets.count),
            newestTime: 0,
            detailsSize: 0,
            marksSize: 0,
            framesSize: size
        )
    }

    private mutating func keepAll() {
        for (number, topic) in topics { topics[number]?.keptEnd = topic.end }
    }

    private mutating func clean(_ segment: UInt64) throws(DiskError) {
        guard let index = try? SegmentIndex.of(segment, on: disk) else { return }
        let reader = SegmentReader(disk)
        if fault != .givesUpTooMuch {
            for entry in table.wanted(of: index) {
                guard let bytes = try? reader.bytes(of: entry.record, of: entry.topic) else { return }
                let offsets = entry.record.first..<entry.record.end
                let contents = Array(bytes[RecordHead.size...])
                let batch = Self.batch(entry.topic, offsets, size: contents.count)
                let places = try writer.append([(batch, contents)], isKept: false)
                table.append(places[0], of: entry.topic)
            }
        } else {
            for entry in table.wanted(of: index) { table.want(entry.topic, from: entry.record.end) }
        }
        moved += 1
        if table.unwanted.contains(segment) { try giveUp(segment) }
    }

    private mutating func giveUp(_ segment: UInt64) throws(DiskError) {
        if fault != .doesNotSync {
            try writer.sync()
            keepAll()
        }
        if fault == .removesFirst { try disk.removeSegment(segment) }
        let emptied = fault == .forgetsOffsets ? [:] : table.emptied(by: segment)
        try apply { catalog in
            catalog.givenUp.insert(segment)
            for (topic, end) in emptied {
                for index in catalog.topics.indices where catalog.topics[index].number == topic {
                    catalog.topics[index].from = end
                }
            }
        }
        table.remove(segment: segment)
        if fault != .removesFirst { try disk.removeSegment(segment) }
        removed += 1
    }

    // MARK: Starts

    /// The machine stops, and a new process begins.
    mutating func crash() throws {
        disk.crash(&generator)
        try recover()
    }

    /// Reads all. It must be what was written, without a gap, and what is wanted must be there.
    mutating func recover() throws {
        let log = try LogRecovery(disk, givenUp: catalog.givenUp)
        table = SegmentTable(log.segments, exactness: exactness)
        if let (topic, record) = DataFolder.keep(catalog, in: &table) {
            throw Violation.changed(topic: topic, offset: record.first)
        }
        catalog.givenUp.insert(0)
        writer = SegmentWriter(disk, number: log.nextNumber, after: log.commit, segmentSize: 4096)
        let reader = SegmentReader(disk, maxOpenFiles: 2)
        let known = Set(catalog.topics.map(\.number))
        topics = topics.filter { known.contains($0.key) }
        for row in catalog.topics {
            topics[row.number] = try check(row, topics[row.number] ?? Topic(), reader)
        }
        // Each segment has an index, and there is the next one.
        let names = try disk.names()
        if names.count != log.segments.count * 2 + 1 { throw Violation.left(names.sorted()) }
    }

    private mutating func check(_ row: Catalog.Topic, _ topic: Topic, _ reader: SegmentReader) throws -> Topic {
        var found = Topic()
        var next: UInt64?
        for place in table.records(of: row.number) {
            if let next, next != place.first { throw Violation.gap(topic: row.number, offset: place.first) }
            next = place.end
            var part = place.first
            while part < place.end {
                for (offsets, contents) in try reader.contents(of: place, of: row.number, from: part) {
                    part = offsets.upperBound
                    let record = topic.records.first { $0.offsets == offsets && $0.contents == contents }
                    guard let record else { throw Violation.changed(topic: row.number, offset: offsets.lowerBound) }
                    found.records.append(record)
                }
            }
            joined += place.first == found.records.last?.offsets.lowerBound ? 0 : 1
        }
        let first = table.records(of: row.number).first?.first
        found.end = max(next ?? 1, row.from)
        guard found.end >= topic.keptEnd else { throw Violation.reused(topic: row.number, offset: found.end) }
        // What is wanted, up to what must survive.
        if topic.from < topic.keptEnd {
            guard let first, first <= topic.from, found.end >= topic.keptEnd else {
                throw Violation.lost(topic: row.number, offset: topic.from)
            }
        }
        found.from = max(first ?? 1, row.from)
        found.keptEnd = found.end
        return found
    }
}
