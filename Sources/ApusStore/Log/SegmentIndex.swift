import CCRC32C

/// What a segment holds, in a file of its own beside it, so that a start need not read the messages.
///
/// It can be made from the segment at any time, so nothing waits until it is on the disk, and one that is missing or
/// damaged is made again.
/// ```
/// byte  0 "APUSIDX" and a newline   8 version, 0    16 segment      24 last commit before
///      32 last commit              40 end of the records           48 number of records
///      56 0                        60 CRC-32C of all but itself    64 records, 32 bytes each:
///          topic, count, first offset, newest time, place / 8, size
/// ```
package struct SegmentIndex: Hashable, Sendable {
    static let (headSize, entrySize) = (64, 32)
    private static let version: UInt32 = 1
    static let checksumPlace = 60
    static let magic = Array("APUSIDX\n".utf8)
    private static let suffix = ".idx"

    package struct Entry: Hashable, Sendable {
        package var topic: UInt32
        package var record: RecordPlace
    }

    package var segment: SegmentHead
    /// The last commit in it.
    package var commit: UInt64
    /// Where the last record ends.
    package var end: Int
    package var entries: [Entry]

    init(_ segment: SegmentHead) {
        self.segment = segment
        commit = segment.before
        end = SegmentHead.size
        entries = []
    }

    init(_ segment: SegmentHead, _ scan: SegmentScan) {
        self.init(segment)
        for found in scan.records { append(found.head, place: found.place) }
    }

    @discardableResult
    mutating func append(_ head: RecordHead, place: Int) -> RecordPlace {
        let record = RecordPlace(head, segment: segment.number, place: place)
        entries.append(Entry(topic: head.batch.topic, record: record))
        commit = head.commit
        end = place + record.sizeOnDisk
        return record
    }

    /// Leaves out all but the first records, which end with a commit.
    mutating func cut(to count: Int, end: Int, commit: UInt64) {
        entries.removeLast(entries.count - count)
        (self.end, self.commit) = (end, commit)
    }

    package static func fileName(_ segment: UInt64) -> String { SegmentHead.fileName(segment) + suffix }

    /// The segment whose index has this name; `nil` if none has.
    static func segment(inName name: String) -> UInt64? {
        name.hasSuffix(suffix) ? SegmentHead.number(inName: String(name.dropLast(suffix.count))) : nil
    }
}

// The index as bytes.

extension SegmentIndex {
    var bytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.headSize + entries.count * Self.entrySize)
        bytes.replaceSubrange(0..<Self.magic.count, with: Self.magic)
        bytes.withUnsafeMutableBytes { room in
            func store<Number: FixedWidthInteger>(_ number: Number, at place: Int) {
                room.storeBytes(of: number.littleEndian, toByteOffset: place, as: Number.self)
            }
            store(Self.version, at: 8)
            store(segment.number, at: 16)
            store(segment.before, at: 24)
            store(commit, at: 32)
            store(UInt64(end), at: 40)
            store(UInt64(entries.count), at: 48)
            for (index, entry) in entries.enumerated() {
                let place = Self.headSize + index * Self.entrySize
                store(entry.topic, at: place)
                store(entry.record.count, at: place + 4)
                store(entry.record.first, at: place + 8)
                store(entry.record.newestTime, at: place + 16)
                store(UInt32(entry.record.place / RecordHead.alignment), at: place + 24)
                store(UInt32(entry.record.size), at: place + 28)
            }
            store(Self.checksum(UnsafeRawBufferPointer(room)), at: Self.checksumPlace)
        }
        return bytes
    }

    /// - Returns: `nil` if this is no index, one that was changed, or one of records that are not one after the other.
    init?(_ bytes: UnsafeRawBufferPointer) {
        func load<Number: FixedWidthInteger>(_ place: Int, as: Number.Type = Number.self) -> Number {
            Number(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: Number.self))
        }
        guard bytes.count >= Self.headSize, bytes.starts(with: Self.magic), load(8) == Self.version,
            let end = Int(exactly: load(40, as: UInt64.self)),
            load(48, as: UInt64.self) == UInt64((bytes.count - Self.headSize) / Self.entrySize),
            (bytes.count - Self.headSize).isMultiple(of: Self.entrySize),
            load(Self.checksumPlace) == Self.checksum(bytes)
        else { return nil }
        let number: UInt64 = load(16)
        self.segment = SegmentHead(number: number, before: load(24))
        self.commit = load(32)
        self.end = end
        entries = (0..<(bytes.count - Self.headSize) / Self.entrySize).map { index in
            let place = Self.headSize + index * Self.entrySize
            let record = RecordPlace(
                first: load(place + 8),
                count: load(place + 4),
                newestTime: load(place + 16),
                segment: number,
                place: Int(load(place + 24, as: UInt32.self)) * RecordHead.alignment,
                size: Int(load(place + 28, as: UInt32.self))
            )
            return Entry(topic: load(place), record: record)
        }
        guard isOrdered else { return nil }
    }

    private var isOrdered: Bool {
        var end = SegmentHead.size
        for record in entries.lazy.map(\.record) {
            guard record.place >= end, record.size >= RecordHead.size, record.count > 0,
                !record.first.addingReportingOverflow(UInt64(record.count)).overflow
            else { return false }
            end = record.place + record.sizeOnDisk
        }
        return end <= self.end && segment.isPossible && segment.before <= commit
    }

    static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        let head = crc32c(0, bytes.baseAddress, checksumPlace)
        return crc32c(head, bytes.baseAddress.map { $0 + headSize }, bytes.count - headSize)
    }
}

// The index as a file.

extension SegmentIndex {
    /// Writes the index. What a crash leaves of it is known by its checksum.
    func write(to disk: any Disk) throws(DiskError) {
        let name = Self.fileName(segment.number)
        let file = try disk.create(name, size: 0)
        do throws(DiskError) {
            try file.write(bytes, at: 0)
        } catch {
            try? disk.remove(name)
            throw error
        }
    }

    /// What a full segment holds.
    package static func of(_ number: UInt64, on disk: any Disk) throws(LogFailure) -> SegmentIndex {
        let name = SegmentHead.fileName(number)
        let (found, broken): (SegmentIndex?, (place: Int, record: LostRecord?)?)
        do throws(DiskError) {
            (found, broken) = try search(number, disk.open(name), disk)
        } catch {
            throw error.isMissing ? .missing(file: name) : .disk(error)
        }
        guard let found, broken == nil else { throw .damaged(file: name, place: broken?.place ?? 0, broken?.record) }
        return found
    }

    private static func search(
        _ number: UInt64,
        _ file: any DiskFile,
        _ disk: any Disk
    ) throws(DiskError) -> (SegmentIndex?, broken: (place: Int, record: LostRecord?)?) {
        let reading = try file.read(SegmentHead.size).withUnsafeBytes { SegmentHead.read($0) }
        guard case .head(let head) = reading, head.number == number else { return (nil, nil) }
        if let index = read(head, from: disk) { return (index, nil) }
        let scan = try SegmentScan(file, after: head.before)
        return (SegmentIndex(head, scan), scan.broken)
    }

    /// - Returns: `nil` if there is none for this segment, or not a whole one.
    static func read(_ segment: SegmentHead, from disk: any Disk) -> SegmentIndex? {
        guard let bytes = try? disk.open(fileName(segment.number)).read() else { return nil }
        let index = bytes.withUnsafeBytes { SegmentIndex($0) }
        return index?.segment == segment ? index : nil
    }
}

extension Disk {
    /// Removes the files of a segment that the catalog knows to be given up. What a crash leaves of them is removed at
    /// the next start.
    package func removeSegment(_ number: UInt64) throws(DiskError) {
        for name in [SegmentHead.fileName(number), SegmentIndex.fileName(number)] {
            do throws(DiskError) { try remove(name) } catch  where !error.isMissing { throw error }
        }
    }
}
