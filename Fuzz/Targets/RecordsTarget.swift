import ApusBroker
import ApusProtocol
import NIOCore

@testable import ApusStore

extension FuzzTarget {
    /// A byte that says which: a segment, made of what the bytes say and then changed where they say so; the index of
    /// one, with a checksum that fits; or the contents of a record.
    static let records = FuzzTarget(name: "Records") {
        { bytes in
            var input = FuzzInput(bytes)
            switch input.byte() % 3 {
            case 0: try RecordsCheck.checkSegment(&input)
            case 1: try RecordsCheck.checkIndex(Array(input.rest))
            default: try RecordsCheck.checkContents(&input)
            }
        }
    }
}

private enum RecordsCheck {
    // MARK: Segments

    static func checkSegment(_ input: inout FuzzInput) throws {
        let flags = input.byte()
        let head = SegmentHead(number: 7, before: flags & 1 == 0 ? 0 : UInt64.max - UInt64(input.byte()))
        guard case .head(let read) = head.bytes.withUnsafeBytes({ SegmentHead.read($0) }) else { return }
        try require(read == head, "a head is read again as the same")
        let written = segment(after: head.before, &input)
        var bytes = head.bytes + written.bytes
        for _ in 0..<flags / 64 {
            let place = (Int(input.byte()) << 8 | Int(input.byte())) % bytes.count
            bytes[place] ^= input.byte()
        }
        let isChanged = bytes != head.bytes + written.bytes
        if flags & 2 != 0 { bytes += Array(input.rest) }
        let file = BytesFile(bytes)

        let scan = try SegmentScan(file, after: head.before)
        try check(scan, of: bytes, after: head.before)
        if !isChanged {
            try require(scan.records.starts(with: written.records), "what was written is found")
        }
        for isNewest in [true, false] {
            let walk = try SegmentWalk(file, number: head.number, known: nil, isNewest: isNewest) { _, _ in nil }
            try check(walk, of: bytes)
            guard walk.head != nil else { continue }
            let found = Set(walk.index.entries.map(\.record.place))
            try require(found.isSuperset(of: scan.records.map(\.place)), "a walk finds what a start finds")
            let intact = scan.end == .whole && walk.broken.isEmpty && walk.torn == nil
            try require(
                !intact || walk.index.entries.count == scan.records.count,
                "a whole segment is the same to both"
            )
        }
    }

    /// Records as the input has them, and where the first whole commits are.
    private static func segment(
        after before: UInt64,
        _ input: inout FuzzInput
    ) -> (bytes: [UInt8], records: [SegmentScan.Found]) {
        var (bytes, records, whole): ([UInt8], [SegmentScan.Found], Int) = ([], [], 0)
        var commit = before
        var isNext = true
        for _ in 0..<input.byte() % 8 {
            if isNext {
                guard commit < .max - 1 else { break }
                commit += 1
            }
            let flags = input.byte()
            let contents = (0..<Int(input.byte() % 32)).map { UInt8($0) &+ flags }
            let sizes = (Int(flags & 3), Int(flags >> 2 & 3))
            guard contents.count >= sizes.0 + sizes.1 else { break }
            let batch = RecordHead.Batch(
                topic: UInt32(flags % 3),
                first: UInt64(input.byte()),
                count: UInt32(input.byte()) + 1,
                newestTime: Int64(input.byte()),
                detailsSize: sizes.0,
                marksSize: sizes.1,
                framesSize: contents.count - sizes.0 - sizes.1
            )
            isNext = flags & 16 == 0
            let kept = flags & 32 == 0 ? commit - 1 : 0
            let head = RecordHead(batch: batch, commit: commit, kept: kept, isLastOfCommit: isNext)
            records.append(SegmentScan.Found(head: head, place: SegmentHead.size + bytes.count))
            bytes += record(head, contents)
            if isNext { whole = records.count }
        }
        return (bytes, Array(records.prefix(whole)))
    }

    private static func record(_ head: RecordHead, _ contents: [UInt8]) -> [UInt8] {
        var room = [UInt8](repeating: 0, count: RecordHead.size)
        contents.withUnsafeBytes { contents in
            room.withUnsafeMutableBytes { head.write(followedBy: [contents], to: $0) }
        }
        let padding = head.recordSize - head.unpaddedSize
        return room + contents + [UInt8](repeating: 0, count: padding)
    }

    private static func check(_ scan: SegmentScan, of bytes: [UInt8], after before: UInt64) throws {
        var (place, commit) = (SegmentHead.size, before + 1)
        for found in scan.records {
            try require(found.place == place, "records follow each other")
            try require(found.head.commit == commit, "no commit is missing")
            let end = found.place + found.head.unpaddedSize
            try require(end <= bytes.count, "a record lies in its file")
            let isIntact = bytes[found.place..<end].withUnsafeBytes { RecordHead.isIntact($0) }
            try require(isIntact, "a record is what was written")
            place += found.head.recordSize
            if found.head.isLastOfCommit { commit += 1 }
        }
        try require(scan.place == place, "a scan ends behind the last record")
        try require(scan.records.last?.head.isLastOfCommit ?? true, "no part of a commit is found")
    }

    private static func check(_ walk: SegmentWalk, of bytes: [UInt8]) throws {
        var end = SegmentHead.size
        for entry in walk.index.entries {
            try require(entry.record.place >= end, "records do not overlap")
            end = entry.record.place + entry.record.size
            try require(end <= bytes.count, "a record lies in its file")
        }
        for broken in walk.broken {
            try require(broken.range.lowerBound < broken.range.upperBound, "damage has a place")
        }
        if let torn = walk.torn { try require(torn >= end, "nothing of what is kept is cut off") }
        try require(SegmentIndex(walk.index.bytes) == walk.index, "an index is read again as the same")
    }

    // MARK: Indexes

    static func checkIndex(_ bytes: [UInt8]) throws {
        let mended = SegmentIndex.mended(bytes)
        _ = SegmentIndex(bytes)
        guard let index = SegmentIndex(mended) else { return }
        try require(index.bytes == mended, "an index is written again as the same")
        let file = BytesFile(index.segment.bytes + [UInt8](repeating: 0, count: 256))
        let walk = try SegmentWalk(file, number: index.segment.number, known: index, isNewest: false) { _, _ in nil }
        try require(walk.index.entries.isEmpty, "an index is believed nothing that is not there")
        try require(
            walk.broken.count >= index.entries.count,
            "what an index has and the segment has not is reported"
        )
    }

    // MARK: Contents

    static func checkContents(_ input: inout FuzzInput) throws {
        let (count, details, marks) = (Int(input.byte()), Int(input.byte()), Int(input.byte()))
        let rest = Array(input.rest)
        let contents = ByteBuffer(bytes: rest)
        let (detailsEnd, marksEnd) = (min(details, rest.count), min(details + marks, rest.count))
        let record = BatchRecord(
            first: 5,
            count: count,
            newestTime: 1_700_000_000_000,
            details: contents.getSlice(at: 0, length: detailsEnd) ?? ByteBuffer(),
            marks: contents.getSlice(at: detailsEnd, length: marksEnd - detailsEnd) ?? ByteBuffer(),
            frames: contents.getSlice(at: marksEnd, length: rest.count - marksEnd) ?? ByteBuffer()
        )
        let template = EventTemplate(topic: "a", epoch: "e")
        guard let (batch, ids) = record.batch(template: template, lead: 1000) else { return }
        try require(batch.count == count, "a batch has as many as its record says")
        try require(ids.allSatisfy { batch.first..<batch.end ~= $0.offset }, "an id is one of the batch's")
        let again = BatchRecord(batch, ids: ids)
        try require(again.marks == record.marks && again.frames == record.frames, "frames are written as they were")
        guard let (_, sameIDs) = again.batch(template: template, lead: 1000) else {
            throw Broken(invariant: "what is written again is read again")
        }
        try require(sameIDs.map(\.id) == ids.map(\.id), "ids are read again as the same")
    }
}

extension SegmentIndex {
    /// Bytes with a head that fits the rest of them.
    fileprivate static func mended(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes + [UInt8](repeating: 0, count: max(0, headSize - bytes.count))
        bytes.removeLast((bytes.count - headSize) % entrySize)
        bytes.replaceSubrange(0..<magic.count, with: magic)
        let count = UInt64((bytes.count - headSize) / entrySize)
        bytes.withUnsafeMutableBytes { room in
            room.storeBytes(of: UInt64(1).littleEndian, toByteOffset: 8, as: UInt64.self)
            room.storeBytes(of: count.littleEndian, toByteOffset: 48, as: UInt64.self)
            room.storeBytes(of: 0, toByteOffset: 56, as: UInt32.self)
            let checksum = Self.checksum(UnsafeRawBufferPointer(room)).littleEndian
            room.storeBytes(of: checksum, toByteOffset: checksumPlace, as: UInt32.self)
        }
        return bytes
    }

    fileprivate init?(_ bytes: [UInt8]) {
        guard let index = bytes.withUnsafeBytes({ SegmentIndex($0) }) else { return nil }
        self = index
    }
}

/// A file that is only read.
private final class BytesFile: DiskFile {
    let name = "bytes"
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func size() throws(DiskError) -> Int { bytes.count }

    func read(into room: UnsafeMutableRawBufferPointer, at place: Int) throws(DiskError) -> Int {
        let part = bytes.dropFirst(place).prefix(room.count)
        room.copyBytes(from: part)
        return part.count
    }

    func allocate(_ size: Int) throws(DiskError) { throw readOnly }
    func write(_ parts: [UnsafeRawBufferPointer], at place: Int) throws(DiskError) { throw readOnly }
    func sync() throws(DiskError) { throw readOnly }
    func truncate(to size: Int) throws(DiskError) { throw readOnly }
    func beginSync(of bytes: Range<Int>) {}

    private var readOnly: DiskError { DiskError("open", name, code: 30) }
}
