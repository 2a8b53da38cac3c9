/// What is left of a log after its process has ended, in whatever way.
package struct LogRecovery: Sendable {
    package enum Mode: Sendable {
        /// Takes away what a crash has left, so that it can never be taken for something else, and makes what is
        /// missing of the indexes. The disk has to be nobody else's.
        case repair
        /// Changes nothing. Beside a server, the newest segment may end in what that is writing.
        case look
    }

    /// The records of each segment, in the order in which they were written.
    package private(set) var segments: [SegmentIndex] = []
    /// The number that the next segment gets, of which the file is there now.
    package private(set) var nextNumber: UInt64 = 1
    /// The last commit.
    package private(set) var commit: UInt64 = 0
    /// How many segments had to be read because they had no index.
    package private(set) var scanned = 0

    private let disk: any Disk
    private let mode: Mode
    private let givenUp: SegmentNumbers
    /// As a typed throw has one type.
    private var failure: LogFailure?

    /// Finds all records.
    ///
    /// - Parameters:
    ///   - givenUp: the segments that need not be there; if they are, they are removed. All others have to be there,
    ///     from 1 to the newest. Only a folder where nothing was ever given up, not even segment 0, which there never
    ///     is, can be one where no segment was ever begun.
    ///   - progress: called with the number of segments that are done, and of all.
    package init(
        _ disk: any Disk,
        givenUp: SegmentNumbers = SegmentNumbers(),
        mode: Mode = .repair,
        progress: (Int, Int) -> Void = { _, _ in }
    ) throws(LogFailure) {
        (self.disk, self.givenUp, self.mode) = (disk, givenUp, mode)
        do throws(DiskError) {
            let names = try disk.names()
            var numbers = names.compactMap { SegmentHead.number(inName: $0) }.filter { !givenUp.contains($0) }.sorted()
            let there = Set(numbers)
            var next: UInt64?
            if let last = numbers.last, try isUnused(last) { next = numbers.removeLast() }
            for (index, number) in numbers.enumerated() where failure == nil {
                progress(index, numbers.count)
                try read(number, isNewest: index == numbers.count - 1)
            }
            if failure == nil { try finish(next: next) }
            if failure == nil, mode == .repair { try removeAll(names, but: there) }
        } catch {
            throw .disk(error)
        }
        if let failure { throw failure }
    }

    /// Removes what was given up: segments, and indexes without one.
    private func removeAll(_ names: [String], but kept: Set<UInt64>) throws(DiskError) {
        for name in names {
            guard let number = SegmentHead.number(inName: name) ?? SegmentIndex.segment(inName: name),
                !kept.contains(number)
            else { continue }
            try disk.remove(name)
        }
    }

    /// The lowest number that was not given up, from another on.
    private func required(from number: UInt64) -> UInt64 {
        givenUp.range(with: number).map { $0.upperBound + 1 } ?? number
    }

    /// Whether nothing was ever written to a segment.
    private func isUnused(_ number: UInt64) throws(DiskError) -> Bool {
        let file = try disk.open(SegmentHead.fileName(number))
        guard case .nothing = try Self.head(of: file) else { return false }
        var reader = try WindowReader(file, windowSize: 1 << 20)
        return try reader.isZero(from: SegmentHead.size)
    }

    private mutating func read(_ number: UInt64, isNewest: Bool) throws(DiskError) {
        let isNext = number == nextNumber
        guard number == required(from: nextNumber) else {
            failure = .missing(file: SegmentHead.fileName(required(from: nextNumber)))
            return
        }
        let file = try disk.open(SegmentHead.fileName(number))
        switch try Self.head(of: file) {
        case .head(let head) where head.number == number && (isNext ? head.before == commit : head.before >= commit):
            guard let index = try index(of: file, head, isNewest: isNewest) else { return }
            segments.append(index)
            (nextNumber, commit) = (number + 1, index.commit)
        case .head(let head) where head.number == number && head.before > commit && segments.last != nil:
            // The segment before it ends too early.
            let end = segments.last?.end ?? 0
            failure = .damaged(file: SegmentHead.fileName(number - 1), place: end, nil)
        case .version(let version):
            failure = .version(file: file.name, version)
        case .nothing, .head:
            failure = .damaged(file: file.name, place: 0, nil)
        }
    }

    /// The index as it is on the disk; else from the segment, and then it is written.
    private mutating func index(
        of file: any DiskFile,
        _ head: SegmentHead,
        isNewest: Bool
    ) throws(DiskError) -> SegmentIndex? {
        if let index = SegmentIndex.read(head, from: disk), index.end <= (try file.size()) { return index }
        let scan = try SegmentScan(file, after: head.before)
        scanned += 1
        guard scan.end == .whole || isNewest && scan.end == .torn else {
            failure = .damaged(file: file.name, place: scan.broken?.place ?? scan.place, scan.broken?.record)
            return nil
        }
        let index = SegmentIndex(head, scan)
        guard mode == .repair else { return index }
        if isNewest {
            try file.truncate(to: scan.place)
            try file.sync()
        }
        try? disk.remove(SegmentIndex.fileName(head.number))
        try? index.write(to: disk)
        return index
    }

    /// - Parameter next: the number of the segment that is there and unused.
    private mutating func finish(next: UInt64?) throws(DiskError) {
        let number = required(from: nextNumber)
        let name = SegmentHead.fileName(number)
        // A segment gets its first record when the next one is there.
        let isMissed = segments.last.map { !$0.entries.isEmpty || number != nextNumber } ?? !givenUp.isEmpty
        nextNumber = number
        if next.map({ $0 != number }) ?? isMissed {
            failure = .missing(file: name)
        } else if next == nil, mode == .repair {
            _ = try disk.create(name, size: 0)
            try disk.syncNames()
        }
    }

    private static func head(of file: any DiskFile) throws(DiskError) -> SegmentHead.Reading {
        try file.read(SegmentHead.size).withUnsafeBytes { SegmentHead.read($0) }
    }
}
