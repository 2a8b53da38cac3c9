/// Appends commits to segments. Used by one thread.
///
/// A commit is one write, and one sync if it asks for that. When a segment is full, it is synced before the next one is
/// begun: only the newest can end in a write that was cut. Before a segment's first record, the file of the next one
/// is there, empty: a segment that is missing is missed, even the newest.
package struct SegmentWriter {
    package static let segmentSize = 64 << 20
    /// On a disk that is nearly full, segments have a part of that size.
    private static let smaller = 64
    /// So much goes to the disk at a time where no commit asks for it, so that the end of a segment need not wait for
    /// all of it.
    private static let mostUnsynced = 2 << 20

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
    /// The newest segment; `nil` until the first commit.
    private var file: (any DiskFile)?
    private var segment: SegmentHead
    private var index: SegmentIndex
    /// Where the next record goes, and where the file ends.
    private var (place, end) = (SegmentHead.size, 0)
    /// Up to where the segment is on its way to the disk, or there.
    private var begun = 0
    /// The last commit that was written.
    package private(set) var commit: UInt64
    /// The last commit that is beyond a crash of the machine.
    package private(set) var kept: UInt64
    /// After a failed write or sync, nothing is known about what is on the disk.
    package private(set) var failure: DiskError?

    /// Nothing is written before the first commit, which begins a segment.
    ///
    /// - Parameters:
    ///   - number: ``LogRecovery/nextNumber``.
    ///   - commit: ``LogRecovery/commit``.
    package init(_ disk: any Disk, number: UInt64, after commit: UInt64, segmentSize: Int = Self.segmentSize) {
        self.disk = disk
        self.segmentSize = segmentSize
        segment = SegmentHead(number: number, before: commit)
        index = SegmentIndex(segment)
        (self.commit, kept) = (commit, commit)
    }

    /// May be done again, with the same number, after there was no room.
    private static func begin(_ head: SegmentHead, on disk: any Disk, size: Int) throws(DiskError) -> any DiskFile {
        let (file, isNew) = try open(head.number, on: disk)
        do throws(DiskError) {
            try file.allocate(size)
        } catch {
            try? file.truncate(to: 0)
            throw error
        }
        try file.write(head.bytes, at: 0)
        try file.sync()
        if isNew { try disk.syncNames() }
        _ = try open(head.number + 1, on: disk)
        try disk.syncNames()
        return file
    }

    private static func open(_ number: UInt64, on disk: any Disk) throws(DiskError) -> (any DiskFile, isNew: Bool) {
        let name = SegmentHead.fileName(number)
        do throws(DiskError) {
            return (try disk.open(name), false)
        } catch {
            guard error.isMissing else { throw error }
            return (try disk.create(name, size: 0), true)
        }
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
        } catch {
            if !error.isFull || !endSegment() { failure = error }
            throw error
        }
        commit += 1
        if isKept { try sync() }
        defer { beginSync() }
        return heads.map { head in
            defer { place += head.recordSize }
            return index.append(head, place: place)
        }
    }

    private mutating func beginSync() {
        guard commit > kept else {
            begun = place
            return
        }
        guard place - begun >= Self.mostUnsynced else { return }
        file?.beginSync(of: begun..<place)
        begun = place
    }

    /// Takes back what a failed write may have left, so that what comes next begins another segment.
    private mutating func endSegment() -> Bool {
        do throws(DiskError) {
            try file?.truncate(to: place)
        } catch {
            return false
        }
        end = place
        return true
    }

    /// Has all commits beyond a crash of the machine.
    package mutating func sync() throws(DiskError) {
        if let failure { throw failure }
        do throws(DiskError) {
            try file?.sync()
        } catch {
            failure = error
            throw error
        }
        kept = commit
    }

    /// Syncs all, and leaves the newest segment as if it were full, so that a start need not read it. What is appended
    /// after this begins another one.
    package mutating func finish() throws(DiskError) {
        try sync()
        guard let file else { return }
        do throws(DiskError) {
            try file.truncate(to: place)
            try file.sync()
        } catch {
            failure = error
            throw error
        }
        writeIndex()
        self.file = nil
        segment = SegmentHead(number: segment.number + 1, before: commit)
        index = SegmentIndex(segment)
        (place, end, begun) = (SegmentHead.size, 0, 0)
    }

    private mutating func makeRoom(for size: Int) throws(DiskError) {
        guard place + size > end else { return }
        try sync()
        let next = self.file == nil ? segment : SegmentHead(number: segment.number + 1, before: commit)
        let least = SegmentHead.size + size
        let (file, size) = try begin(next, sizes: [max(segmentSize, least), max(segmentSize / Self.smaller, least)])
        if self.file != nil { writeIndex() }
        (self.file, segment, index) = (file, next, SegmentIndex(next))
        (place, end, begun) = (SegmentHead.size, size, SegmentHead.size)
    }

    /// Begins a segment of the first size for which there is room.
    private mutating func begin(
        _ head: SegmentHead,
        sizes: [Int]
    ) throws(DiskError) -> (file: any DiskFile, size: Int) {
        var full: DiskError?
        for size in sizes {
            do throws(DiskError) {
                return (try Self.begin(head, on: disk, size: size), size)
            } catch {
                // Where there was no room, the same is tried again.
                guard error.isFull else {
                    failure = error
                    throw error
                }
                full = error
            }
        }
        throw full ?? DiskError("fallocate", SegmentHead.fileName(head.number), code: 0)
    }

    /// Nothing depends on it, so it may fail.
    private func writeIndex() { try? index.write(to: disk) }

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
                do throws(DiskError) { try file?.write(parts, at: self.place) } catch { failure = error }
            }
        }
        if let failure { throw failure }
    }
}
