/// What a segment holds, found by reading all of it.
package struct SegmentScan: Sendable {
    /// A record, and where it begins in the file.
    package struct Found: Hashable, Sendable {
        package var head: RecordHead
        package var place: Int
    }

    /// How the records end.
    package enum End: Hashable, Sendable {
        /// With the file, or with zeros.
        case whole
        /// With the rest of a commit that a crash has cut. Nothing of it or after it was ever known to be kept. What is
        /// there of the commit is not among the records.
        case torn
        /// With bytes that are no record, though they were known to be kept, as a record after it says.
        case damaged
    }

    package private(set) var records: [Found] = []
    /// Where the last record ends.
    package private(set) var place = SegmentHead.size
    package private(set) var end = End.whole
    /// The first bytes that are no record, and what they say all the same of the one that was there.
    package private(set) var broken: (place: Int, record: LostRecord?)?

    private static let windowSize = 1 << 20

    /// Reads a segment.
    ///
    /// - Parameter before: the last commit before the segment, as its head has it.
    /// - Throws: ``DiskError``
    package init(_ file: any DiskFile, after before: UInt64) throws(DiskError) {
        var reader = try WindowReader(file, windowSize: Self.windowSize)
        var (commit, complete) = (before + 1, (count: 0, place: place))
        while let head = try Self.record(at: place, &reader, of: commit) {
            records.append(Found(head: head, place: place))
            place += head.recordSize
            guard head.isLastOfCommit else { continue }
            commit += 1
            complete = (records.count, place)
        }
        let isZero = try reader.isZero(from: place)
        if isZero, place == complete.place { return }
        let head = try reader.bytes(at: place, count: RecordHead.size, RecordHead.init)
        broken = (place, head.map { LostRecord($0.batch) })
        let wasKept = isZero ? false : try Self.wasKept(commit, &reader, from: place)
        end = wasKept ? .damaged : .torn
        records.removeLast(records.count - complete.count)
        place = complete.place
    }

    /// The intact record of a commit at a place; `nil` if there is none.
    private static func record(
        at place: Int,
        _ reader: inout WindowReader,
        of commit: UInt64
    ) throws(DiskError) -> RecordHead? {
        guard let head = try reader.bytes(at: place, count: RecordHead.size, RecordHead.init),
            head.commit == commit,
            try reader.bytes(at: place, count: head.unpaddedSize, { RecordHead.isIntact($0) }) == true
        else { return nil }
        return head
    }

    /// Whether a record after this place says that the commit which has to be here was known to be kept.
    private static func wasKept(
        _ commit: UInt64,
        _ reader: inout WindowReader,
        from place: Int
    ) throws(DiskError) -> Bool {
        var place = place
        while place + RecordHead.size <= reader.size {
            if let head = try reader.bytes(at: place, count: RecordHead.size, RecordHead.init), head.commit >= commit,
                try reader.bytes(at: place, count: head.unpaddedSize, { RecordHead.isIntact($0) }) == true
            {
                if head.kept >= commit { return true }
                place += head.recordSize
            } else {
                place += RecordHead.alignment
            }
        }
        return false
    }
}
