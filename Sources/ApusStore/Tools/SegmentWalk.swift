/// All that is in a segment, past what is damaged, for the tools: a start stops at the first damage.
struct SegmentWalk: Sendable {
    /// Bytes that are not what was written.
    struct Broken: Hashable, Sendable {
        var range: Range<Int>
        /// The record that was there, as the index has it; `nil` where that is not known.
        var record: LostRecord?
        var detail: String?
        /// Whether records may have been here that nobody knows of.
        var isUnknown = false
    }

    /// What the head says; `nil` if it is damaged.
    private(set) var head: SegmentHead?
    /// Set for a segment that a newer version has written. Nothing else of it is known then.
    private(set) var version: UInt32?
    /// The records that are intact.
    private(set) var index: SegmentIndex
    private(set) var broken: [Broken] = []
    /// Where the rest of a cut write begins that the next start cuts off, in the newest segment.
    private(set) var torn: Int?

    private static let windowSize = 1 << 20

    /// - Parameters:
    ///   - known: its index, if there is one.
    ///   - isNewest: whether it may end in a write that was cut, or is under way.
    ///   - visit: is called with each intact record. Returns what is wrong with its contents.
    init(
        _ file: any DiskFile,
        number: UInt64,
        known: SegmentIndex?,
        isNewest: Bool,
        visit: (RecordHead, UnsafeRawBufferPointer) -> String?
    ) throws(DiskError) {
        var reader = try WindowReader(file, windowSize: Self.windowSize)
        switch try file.read(SegmentHead.size).withUnsafeBytes({ SegmentHead.read($0) }) {
        case .head(let head) where head.number == number: self.head = head
        case .version(let version): self.version = version
        case .head, .nothing: broken.append(Broken(range: 0..<SegmentHead.size, detail: "its head is damaged"))
        }
        index = SegmentIndex(head ?? SegmentHead(number: number, before: 0))
        guard version == nil else { return }
        let known = known?.segment == head || head == nil ? known : nil
        var walker = Walker(reader: reader, known: known, expected: head.map { $0.before + 1 })
        try walker.run(&self, visit)
        reader = walker.reader
        finish(walker, isNewest: isNewest && known == nil)
    }

    /// Tells what a crash has cut from what is damaged.
    private mutating func finish(_ walker: Walker, isNewest: Bool) {
        if isNewest, head != nil, let first = walker.firstBreak ?? walker.incomplete {
            guard walker.maxKept < first.commit else { return }
            broken.removeAll { $0.range.lowerBound >= first.complete.place }
            torn = first.complete.place
            index.cut(to: first.complete.count, end: first.complete.place, commit: first.commit - 1)
        } else if let incomplete = walker.incomplete, walker.known == nil {
            let place = incomplete.complete.place
            let detail = "the end of its last commit is missing"
            broken.append(Broken(range: place..<index.end, detail: detail, isUnknown: true))
        }
    }
}

extension SegmentWalk {
    /// What is known at a place.
    fileprivate struct Mark {
        /// The commit that has to come.
        var commit: UInt64
        /// How many records there are up to the last whole commit, and where it ends.
        var complete: (count: Int, place: Int)
    }

    fileprivate struct Walker {
        var reader: WindowReader
        let known: SegmentIndex?
        /// The commit of the next record; `nil` where something before it is damaged.
        var expected: UInt64?
        var firstBreak: Mark?
        /// Set where the last commit has no end.
        var incomplete: Mark?
        /// What the records after the first break say was kept.
        var maxKept: UInt64 = 0

        private var place = SegmentHead.size
        private var last: UInt64 = 0

        init(reader: WindowReader, known: SegmentIndex?, expected: UInt64?) {
            (self.reader, self.known, self.expected) = (reader, known, expected)
        }
    }
}

extension SegmentWalk.Walker {
    mutating func run(
        _ walk: inout SegmentWalk,
        _ visit: (RecordHead, UnsafeRawBufferPointer) -> String?
    ) throws(DiskError) {
        var places: [Int: SegmentIndex.Entry] = [:]
        for entry in known?.entries ?? [] { places[entry.record.place] = entry }
        var complete = (count: 0, place: place)
        while place < reader.size {
            if let (head, problem, isAligned) = try record(at: place, visit) {
                if firstBreak != nil { maxKept = max(maxKept, head.kept) }
                if let problem {
                    let range = place..<place + head.recordSize
                    walk.broken.append(.init(range: range, record: LostRecord(head.batch), detail: problem))
                } else {
                    walk.index.append(head, place: place)
                }
                if !isAligned {
                    let range = place + head.unpaddedSize..<place + head.recordSize
                    walk.broken.append(.init(range: range, detail: "bytes between records are not zero"))
                }
                place += head.recordSize
                last = head.commit
                expected = head.isLastOfCommit ? head.commit + 1 : head.commit
                if head.isLastOfCommit { complete = (walk.index.entries.count, place) }
                incomplete = head.isLastOfCommit ? nil : SegmentWalk.Mark(commit: head.commit, complete: complete)
                continue
            }
            if places[place] == nil, try reader.isZero(from: place) { break }
            firstBreak = firstBreak ?? SegmentWalk.Mark(commit: expected ?? last, complete: complete)
            try skip(&walk, places)
        }
        // What the index has beyond the end of the file.
        for entry in known?.entries ?? [] where entry.record.place >= max(place, SegmentHead.size) {
            let range = entry.record.place..<entry.record.place + entry.record.sizeOnDisk
            walk.broken.append(.init(range: range, record: LostRecord(entry.topic, entry.record)))
        }
    }

    private mutating func skip(_ walk: inout SegmentWalk, _ places: [Int: SegmentIndex.Entry]) throws(DiskError) {
        expected = nil
        if let entry = places[place] {
            let end = place + entry.record.sizeOnDisk
            walk.broken.append(.init(range: place..<end, record: LostRecord(entry.topic, entry.record)))
            place = end
            return
        }
        let start = place
        place += RecordHead.alignment
        while place < reader.size, try record(at: place, { _, _ in nil }) == nil {
            if places[place] != nil { break }
            if place.isMultiple(of: 1 << 16), try reader.isZero(from: place) { break }
            place += RecordHead.alignment
        }
        let end = min(place, reader.size)
        let isRest = known.map { start >= $0.end } ?? false
        let detail = isRest ? "there are bytes after its last record" : nil
        walk.broken.append(.init(range: start..<end, detail: detail, isUnknown: !isRest))
    }

    /// The intact record at a place, what is wrong with its contents, and whether zeros follow that align the next.
    private mutating func record(
        at place: Int,
        _ visit: (RecordHead, UnsafeRawBufferPointer) -> String?
    ) throws(DiskError) -> (RecordHead, String?, isAligned: Bool)? {
        guard let head = try reader.bytes(at: place, count: RecordHead.size, RecordHead.init),
            expected.map({ head.commit == $0 }) ?? (head.commit >= last)
        else { return nil }
        // The file of a segment that was closed ends behind the zeros that align it.
        return try reader.bytes(at: place, count: head.recordSize) { bytes -> (RecordHead, String?, Bool)? in
            let record = UnsafeRawBufferPointer(rebasing: bytes[..<head.unpaddedSize])
            guard RecordHead.isIntact(record) else { return nil }
            return (head, visit(head, record), bytes[head.unpaddedSize...].allSatisfy { $0 == 0 })
        }
    }
}
