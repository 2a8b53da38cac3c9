import Glibc

/// A copy of a folder that a server may be using, from which another server can start.
///
/// It has all that was acknowledged before it began, and of each segment's records none without those before it:
/// 1. The catalog is copied: nothing of what it does not give up may be left out.
/// 2. Segments that are full are linked, or copied where that is not possible. If one is gone, the server has moved
///    what it still wanted of it and has given it up since, so all of this begins anew.
/// 3. Of the newest, all up to its last whole commit is copied. What the catalog gave up was moved here before.
/// 4. Topics that were made since have numbers that the copied catalog is told never to use: their records are then
///    like those of topics that are gone.
/// The catalog gets its name last, so a backup that was interrupted is not taken for one.
package struct FolderBackup {
    package struct Summary: Sendable, Hashable {
        package var topics: Int
        package var segments: Int
        package var bytes: Int
        /// Of those, the bytes that the folders share.
        package var linkedBytes: Int
    }

    let view: FolderView
    let target: String
    private let progress: (Int, Int) -> Void
    var summary = Summary(topics: 0, segments: 0, bytes: 0, linkedBytes: 0)
    /// What was made, to be taken away when it fails.
    var made: [String] = []

    var partialCatalog: String { "\(target)/\(DataFolder.partialCatalogName)" }
    var targetSegments: String { "\(target)/\(DataFolder.segmentsName)" }

    /// Something that the server gave up while it was copied.
    private struct Gone: Error {}

    /// - Parameters:
    ///   - target: a folder that is empty or is not there; what it is in is.
    ///   - progress: called with the number of segments that are done, and of all.
    package static func make(
        of view: FolderView,
        in target: String,
        progress: @escaping (Int, Int) -> Void = { _, _ in }
    ) throws(DataFolderError) -> Summary {
        var backup = FolderBackup(view: view, target: target, progress: progress)
        try Self.prepare(target)
        // There before anything else, as a mark that this is no whole backup.
        try backup.makePartialCatalog()
        do throws(DataFolderError) { try Self.prepare(backup.targetSegments) } catch {
            backup.removeAll()
            throw error
        }
        do throws(DataFolderError) {
            try backup.run()
        } catch {
            backup.removeAll()
            throw error
        }
        return backup.summary
    }

    private init(view: FolderView, target: String, progress: @escaping (Int, Int) -> Void) {
        (self.view, self.target, self.progress) = (view, target, progress)
    }

    /// Makes a folder, if it is not there; it has to be empty.
    private static func prepare(_ folder: String) throws(DataFolderError) {
        if mkdir(folder, 0o750) != 0, errno != EEXIST {
            throw .cannotBeMade(path: folder, reason: DataFolder.lastReason)
        }
        let names: [String]
        do throws(DiskError) { names = try SystemDisk(folder).names() } catch {
            throw .cannotBeMade(path: folder, reason: error.reason)
        }
        guard Set(names).isSubset(of: ["lost+found"]) else {
            throw .cannotBeMade(path: folder, reason: "it is not empty")
        }
    }

    private mutating func run() throws(DataFolderError) {
        for _ in 0..<FolderView.tries {
            let catalog = try copyCatalog()
            var isGone = false
            do {
                try copySegments(catalog)
            } catch is Gone {
                isGone = true
            } catch let error as DiskError {
                throw .failed(path: "\(view.segmentsPath)/\(error.name)", reason: error.reason)
            } catch {
                throw error as? DataFolderError ?? .failed(path: view.segmentsPath, reason: "\(error)")
            }
            guard isGone else { return try finish(catalog) }
            removeAll()
        }
        throw .failed(path: view.segmentsPath, reason: "segments go faster than they can be copied; try again")
    }

    private mutating func removeAll() {
        for path in made.reversed() { unlink(path) }
        made = []
        summary = Summary(topics: 0, segments: 0, bytes: 0, linkedBytes: 0)
    }

    // MARK: Segments

    private mutating func copySegments(_ catalog: Catalog.Contents) throws {
        let numbers = try names().compactMap { SegmentHead.number(inName: $0) }
            .filter { !catalog.givenUp.contains($0) }.sorted()
        var used = numbers
        var next = numbers.last
        if let last = numbers.last, try isUsed(last) { next = last + 1 } else if !used.isEmpty { used.removeLast() }
        // What is missing between was given up since, or is missed by the next start.
        let first = catalog.givenUp.range(with: 0).map { $0.upperBound + 1 } ?? 1
        let (end, there) = (next ?? first, Set(numbers))
        for number in first..<max(end, first) where !catalog.givenUp.contains(number) && !there.contains(number) {
            try explainMissing(number)
        }
        for (index, number) in used.enumerated() {
            progress(index, used.count)
            let name = SegmentHead.fileName(number)
            if index == used.count - 1 {
                try copyNewest(number)
            } else {
                try link(name)
                // It is made again if it is missing.
                try? link(SegmentIndex.fileName(number))
            }
            summary.segments += 1
        }
        if let next { try makeFile(SegmentHead.fileName(next), size: 0) { _ in } }
    }

    private func names() throws(DataFolderError) -> [String] {
        do throws(DiskError) { return try view.segments.names() } catch {
            throw .failed(path: view.segmentsPath, reason: error.reason)
        }
    }

    /// - Throws: ``Gone``, or that it is damaged.
    private func explainMissing(_ number: UInt64) throws {
        guard try view.catalog().givenUp.contains(number) else {
            let path = "\(view.segmentsPath)/\(SegmentHead.fileName(number))"
            throw DataFolderError.damaged(.init(path: path, detail: "it is missing"))
        }
        throw Gone()
    }

    private func isUsed(_ number: UInt64) throws -> Bool {
        guard let file = try? view.segments.open(SegmentHead.fileName(number)) else {
            try explainMissing(number)
            return false
        }
        return try file.read(SegmentHead.size).contains { $0 != 0 }
    }

    /// Has the file be in both folders; no server changes a segment that is full.
    private mutating func link(_ name: String) throws {
        let (from, to) = ("\(view.segmentsPath)/\(name)", "\(targetSegments)/\(name)")
        if Glibc.link(from, to) == 0 {
            made.append(to)
            var status = stat()
            if stat(to, &status) == 0 { summary.linkedBytes += Int(status.st_size) }
            summary.bytes += Int(status.st_size)
            return
        }
        if errno == ENOENT, let number = SegmentHead.number(inName: name) { return try explainMissing(number) }
        let file: any DiskFile
        do throws(DiskError) { file = try view.segments.open(name) } catch {
            if error.isMissing, let number = SegmentHead.number(inName: name) { return try explainMissing(number) }
            throw DataFolderError.failed(path: from, reason: error.reason)
        }
        try copy(file, upTo: file.size())
    }

    private mutating func copyNewest(_ number: UInt64) throws {
        let name = SegmentHead.fileName(number)
        var failure = DataFolderError.damaged(.init(path: "\(view.segmentsPath)/\(name)", place: 0))
        for _ in 0..<FolderView.tries {
            let file: any DiskFile
            do throws(DiskError) { file = try view.segments.open(name) } catch {
                if error.isMissing { return try explainMissing(number) }
                throw DataFolderError.failed(path: "\(view.segmentsPath)/\(name)", reason: error.reason)
            }
            guard case .head(let head) = try file.read(SegmentHead.size).withUnsafeBytes({ SegmentHead.read($0) }),
                head.number == number
            else { throw failure }
            let scan = try SegmentScan(file, after: head.before)
            if scan.end != .damaged { return try copy(file, upTo: scan.place) }
            // What a server is writing looks damaged, until it is written.
            failure = view.failure(.damaged(file: name, place: scan.place, scan.broken?.record), try view.catalog())
            usleep(20_000)
        }
        throw failure
    }

    private mutating func copy(_ file: any DiskFile, upTo end: Int) throws {
        try makeFile(file.name, size: end) { room throws(DiskError) in
            var place = 0
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.copySize, alignment: 8)
            defer { buffer.deallocate() }
            while place < end {
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, end - place)])
                let count = try file.read(into: part, at: place)
                guard count > 0 else { throw DiskError("pread", file.name, code: EIO) }
                try room.write([UnsafeRawBufferPointer(rebasing: part[..<count])], at: place)
                place += count
            }
        }
        summary.bytes += end
    }

    private static let copySize = 1 << 20

    private mutating func makeFile(
        _ name: String,
        size: Int,
        _ write: (any DiskFile) throws(DiskError) -> Void
    ) throws {
        let path = "\(targetSegments)/\(name)"
        do throws(DiskError) {
            let disk = try SystemDisk(targetSegments)
            let file = try disk.create(name, size: size)
            made.append(path)
            try write(file)
            try file.sync()
        } catch {
            throw DataFolderError.failed(path: path, reason: error.reason)
        }
    }
}
