/// Appends commits to segments. Used by one thread.
///
/// A commit is one write, and one sync if it asks for that. When a segment is full, it is synced before the next one is
/// begun: only the newest can end in a write that was cut.
package struct SegmentWriter {
    package static let segmentSize = 64 << 20

    /// A batch and its contents.
    package struct Entry {
        package var batch: RecordHead.Batch
        /// Details, marks and frames, as long together as the batch says.
        package var contents: [UnsafeRawBufferPointer]

        package init(_ batch: RecordHead.Batch, _ contents: [UnsafeRawBufferPointer]) {
            self.batch = batch
            self.contents = contents
        }
    }

    private let disk: any Disk
    private let segmentSize: Int
    private var file: any DiskFile
    private var segment: SegmentHead
    private var place = SegmentHead.size
    private var end: Int
    /// The last commit that was written.
    package private(set) var commit: UInt64
    /// The last commit that is beyond a crash of the machine.
    package private(set) var kept: UInt64
    /// After a failed write or sync, nothing is known about what is on the disk.
    package private(set) var failure: DiskError?

    /// Begins a segment.
    ///
    /// - Parameters:
    ///   - number: one more than that of the newest segment.
    ///   - commit: the last commit of the segment before, which is kept.
    package init(
        _ disk: any Disk,
        number: UInt64,
        after commit: UInt64,
        segmentSize: Int = Self.segmentSize
    ) throws(DiskError) {
        self.disk = disk
        self.segmentSize = segmentSize
        segment = SegmentHead(number: number, before: commit)
        (file, end) = (try Self.begin(segment, on: disk, size: segmentSize), segmentSize)
        (self.commit, kept) = (commit, commit)
    }

    private static func begin(_ head: SegmentHead, on disk: any Disk, size: Int) throws(DiskError) -> any DiskFile {
        let file = try disk.create(SegmentHead.fileName(head.number), size: size)
        let bytes = head.bytes
        try Self.write([bytes], to: file, at: 0)
        try file.sync()
        try disk.syncNames()
        return file
    }

    /// Writes a commit.
    ///
    /// - Parameters:
    ///   - entries: at least one.
    ///   - isKept: whether it has to be beyond a crash of the machine when this returns.
    /// - Returns: where the records are, in the order of the entries.
    /// - Throws: ``DiskError``. If there was no room, that may change, and nothing was written. After any other error,
    ///   nothing can be written any more.
    package mutating func append(_ entries: [Entry], isKept: Bool) throws(DiskError) -> [RecordPlace] {
        if let failure { throw failure }
        var heads = entries.map { RecordHead(batch: $0.batch, commit: commit + 1, kept: kept, isLastOfCommit: false) }
        heads[heads.count - 1].isLastOfCommit = true
        let size = heads.reduce(0) { $0 + $1.recordSize }
        try makeRoom(for: size)
        for index in heads.indices { heads[index].kept = kept }
        do throws(DiskError) {
            try write(heads, entries)
            commit += 1
            if isKept { try sync() }
        } catch {
            failure = error
            throw error
        }
        var next = place
        place += size
        return heads.map { head in
            defer { next += head.recordSize }
            return RecordPlace(head, segment: segment.number, place: next)
        }
    }

    /// Has all commits beyond a crash of the machine.
    package mutating func sync() throws(DiskError) {
        if let failure { throw failure }
        do throws(DiskError) {
            try file.sync()
        } catch {
            failure = error
            throw error
        }
        kept = commit
    }

    private mutating func makeRoom(for size: Int) throws(DiskError) {
        guard place + size > end else { return }
        try sync()
        let next = SegmentHead(number: segment.number + 1, before: commit)
        let larger = max(segmentSize, SegmentHead.size + size)
        do throws(DiskError) {
            file = try Self.begin(next, on: disk, size: larger)
        } catch {
            // The file is tried again under the same name when there is room.
            if error.isFull { try? disk.remove(SegmentHead.fileName(next.number)) } else { failure = error }
            throw error
        }
        (segment, place, end) = (next, SegmentHead.size, larger)
    }

    private func write(_ heads: [RecordHead], _ entries: [Entry]) throws(DiskError) {
        var bytes = [UInt8](repeating: 0, count: heads.count * RecordHead.size)
        let padding = [UInt8](repeating: 0, count: RecordHead.alignment)
        var failure: DiskError?
        padding.withUnsafeBytes { padding in
            bytes.withUnsafeMutableBytes { room in
                var parts: [UnsafeRawBufferPointer] = []
                for (index, (head, entry)) in zip(heads, entries).enumerated() {
                    let place = index * RecordHead.size
                    let own = UnsafeMutableRawBufferPointer(rebasing: room[place..<place + RecordHead.size])
                    head.write(followedBy: entry.contents, to: own)
                    parts.append(UnsafeRawBufferPointer(own))
                    parts += entry.contents
                    let gap = head.recordSize - head.unpaddedSize
                    if gap > 0 { parts.append(UnsafeRawBufferPointer(rebasing: padding[..<gap])) }
                }
                do throws(DiskError) { try file.write(parts, at: self.place) } catch { failure = error }
            }
        }
        if let failure { throw failure }
    }

    private static func write(_ parts: [[UInt8]], to file: any DiskFile, at place: Int) throws(DiskError) {
        for part in parts {
            var failure: DiskError?
            part.withUnsafeBytes { bytes in
                do throws(DiskError) { try file.write([bytes], at: place) } catch { failure = error }
            }
            if let failure { throw failure }
        }
    }
}
