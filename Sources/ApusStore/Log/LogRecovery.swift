/// What is left of a log after its process has ended, in whatever way.
package struct LogRecovery: Sendable {
    package struct Segment: Sendable {
        package var number: UInt64
        package var records: [SegmentScan.Found]
    }

    package private(set) var segments: [Segment] = []
    /// The number that the next segment gets.
    package private(set) var nextNumber: UInt64 = 1
    /// The last commit.
    package private(set) var commit: UInt64 = 0

    /// Finds all records. Takes away what a crash has left at the end of the newest segment, so that it can never be
    /// taken for something else.
    package init(_ disk: any Disk) throws(LogFailure) {
        do throws(DiskError) {
            let numbers = try disk.names().compactMap { SegmentHead.number(inName: $0) }.sorted()
            try scan(numbers, on: disk)
        } catch {
            throw .disk(error)
        }
        if let failure { throw failure }
    }

    /// As a typed throw has one type.
    private var failure: LogFailure?

    private mutating func scan(_ numbers: [UInt64], on disk: any Disk) throws(DiskError) {
        for (index, number) in numbers.enumerated() {
            let isNewest = index == numbers.count - 1
            let name = SegmentHead.fileName(number)
            guard index == 0 || number == nextNumber else {
                failure = .missing(file: SegmentHead.fileName(nextNumber))
                return
            }
            let file = try disk.open(name)
            let isUnused = isNewest ? try Self.isEmpty(file) : false
            switch try Self.head(of: file) {
            case .head(let head) where head.number == number && (index == 0 || head.before == commit):
                commit = head.before
                try scan(file, head, isNewest: isNewest)
            case .version(let version):
                failure = .version(file: name, version)
            case .nothing where isUnused:
                // It was begun, and nothing was written to it.
                try disk.remove(name)
                try disk.syncNames()
                nextNumber = number
            case .nothing, .head:
                failure = .damaged(file: name, place: 0, nil)
            }
            if failure != nil { return }
        }
    }

    private mutating func scan(_ file: any DiskFile, _ head: SegmentHead, isNewest: Bool) throws(DiskError) {
        let scan = try SegmentScan(file, after: head.before)
        guard scan.end == .whole || isNewest && scan.end == .torn else {
            failure = .damaged(file: file.name, place: scan.place, nil)
            return
        }
        if isNewest { try Self.cut(file, at: scan.place) }
        segments.append(Segment(number: head.number, records: scan.records))
        nextNumber = head.number + 1
        commit = scan.records.last?.head.commit ?? head.before
    }

    private static func isEmpty(_ file: any DiskFile) throws(DiskError) -> Bool {
        var reader = try WindowReader(file, windowSize: 1 << 20)
        return try reader.isZero(from: SegmentHead.size)
    }

    private static func head(of file: any DiskFile) throws(DiskError) -> SegmentHead.Reading {
        var bytes = [UInt8](repeating: 0, count: SegmentHead.size)
        var result: Result<Int, DiskError> = .success(0)
        bytes.withUnsafeMutableBytes { room in
            do throws(DiskError) { result = .success(try file.read(into: room, at: 0)) } catch {
                result = .failure(error)
            }
        }
        let count = try result.get()
        return bytes.withUnsafeBytes { SegmentHead.read(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }

    private static func cut(_ file: any DiskFile, at place: Int) throws(DiskError) {
        try file.truncate(to: place)
        try file.sync()
    }
}
