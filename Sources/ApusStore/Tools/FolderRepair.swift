package import Foundation
import Glibc

/// Makes a folder with damage one that a server starts with. The folder is locked meanwhile.
///
/// It can be interrupted at any time, and begun anew: what is written again is there twice then, which is nothing
/// wrong, and a segment goes only when the catalog has given it up.
package struct FolderRepair {
    private let folder: DataFolder
    private let plan: RepairPlan

    /// What is lost and done, a line each. Empty if there is nothing to repair.
    package var lines: [String] { plan.lines }

    /// Looks at everything, and changes nothing.
    ///
    /// - Parameter renewsAll: whether all topics get new epochs, as in a folder that is an older copy.
    package init(
        _ path: String,
        renewsAll: Bool = false,
        makeEpoch: () -> String,
        progress: (Int, Int) -> Void = { _, _ in },
        visit: @escaping FolderSurvey.Visit = { _, _, _ in nil }
    ) throws(DataFolderError) {
        do throws(DataFolderError) { _ = try FolderView(path) } catch {
            // Without segments, it can be opened and something of it is missing. Without a folder, none is made.
            guard case .damaged = error else { throw error }
        }
        folder = try DataFolder(path)
        let survey = try FolderSurvey(FolderView(path), progress: progress, visit: visit)
        for failure in survey.failures {
            if case .newer = failure { throw failure }
        }
        guard survey.catalog.isReadable else {
            let reason = survey.catalog.failures.first.map { "\($0)" } ?? "it cannot be read"
            let detail =
                "\(reason). It has the names, settings and epochs of all topics, which cannot be made from messages:"
            throw .damaged(.init(path: survey.view.catalogPath, detail: detail + " restore a backup"))
        }
        plan = RepairPlan(survey, renewsAll: renewsAll, makeEpoch: makeEpoch)
    }

    /// Repairs it.
    ///
    /// - Parameter now: for the name of the folder that damaged files are put into.
    /// - Returns: that folder; `nil` if there are none.
    package func run(now: Date = Date()) throws(DataFolderError) -> String? {
        let aside = try makeAside(now)
        if plan.rebuildsCatalog { try rebuildCatalog(aside) }
        let catalog = try folder.openCatalog()
        try writeAgain()
        let changes = changes(in: try folder.load(catalog))
        do throws(CatalogError) { try catalog.apply(changes) } catch {
            throw DataFolderError(error, of: folder.catalogPath)
        }
        for number in plan.asideSegments {
            try move("\(folder.segmentsPath)/\(SegmentHead.fileName(number))", to: aside)
            try move("\(folder.segmentsPath)/\(SegmentIndex.fileName(number))", to: aside)
        }
        for number in plan.asideIndexes {
            try move("\(folder.segmentsPath)/\(SegmentIndex.fileName(number))", to: aside)
        }
        // As a start does it, which makes indexes anew, and would find what is wrong.
        _ = try folder.recover(catalog)
        return rmdir(aside) == 0 ? nil : aside
    }

    private func changes(in now: Catalog.Contents) -> [Catalog.Change] {
        var changes: [Catalog.Change] = plan.asideSegments.map { .giveUp(segment: $0) }
        // A catalog that was made anew has the new epochs.
        let known = Dictionary(now.topics.map { ($0.number, $0.epoch) }) { $1 }
        for topic in plan.topics where plan.renewed.contains(topic.number) && known[topic.number] != topic.epoch {
            changes.append(.change(topic))
        }
        return changes
    }

    // MARK: Segments

    private static let commitSize = 4 << 20

    /// Writes what is intact of damaged segments to the end.
    private func writeAgain() throws(DataFolderError) {
        do throws(DiskError) {
            if let (number, place) = plan.torn {
                let file = try folder.segments.open(SegmentHead.fileName(number))
                try file.truncate(to: place)
                try file.sync()
            }
            var writer = SegmentWriter(folder.segments, number: plan.next, after: plan.commit)
            let reader = SegmentReader(folder.segments)
            var (records, size): ([[UInt8]], Int) = ([], 0)
            for entry in plan.moved {
                let bytes: [UInt8]
                do throws(LogFailure) { bytes = try reader.bytes(of: entry.record, of: entry.topic) } catch {
                    throw DiskError("pread", SegmentHead.fileName(entry.record.segment), code: EIO)
                }
                records.append(bytes)
                size += bytes.count
                guard size >= Self.commitSize else { continue }
                try writer.append(records: records)
                (records, size) = ([], 0)
            }
            if !records.isEmpty { try writer.append(records: records) }
            try writer.finish()
            try makeNext()
        } catch {
            throw .failed(path: "\(folder.segmentsPath)/\(error.name)", reason: error.reason)
        }
    }

    /// Has the file of the next segment be there.
    private func makeNext() throws(DiskError) {
        let name = SegmentHead.fileName(plan.next)
        guard try !folder.segments.names().contains(name) else { return }
        _ = try folder.segments.create(name, size: 0)
        try folder.segments.syncNames()
    }

    // MARK: Files

    private func makeAside(_ now: Date) throws(DataFolderError) -> String {
        let stamp = now.ISO8601Format().filter { $0 != "-" && $0 != ":" }
        let path = "\(folder.path)/damaged-\(stamp)"
        guard mkdir(path, 0o750) == 0 || errno == EEXIST else {
            throw .cannotBeMade(path: path, reason: DataFolder.lastReason)
        }
        return path
    }

    /// A file that is not there is not missed.
    private func move(_ path: String, to aside: String) throws(DataFolderError) {
        let name = path.split(separator: "/").last ?? ""
        guard Glibc.rename(path, "\(aside)/\(name)") == 0 || errno == ENOENT else {
            throw .failed(path: path, reason: DataFolder.lastReason)
        }
    }

    private func rebuildCatalog(_ aside: String) throws(DataFolderError) {
        let path = "\(folder.catalogPath).new"
        for suffix in ["", "-wal", "-shm", "-reserve"] { unlink(path + suffix) }
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        if file >= 0 { close(file) }
        do throws(CatalogError) {
            let catalog = try Catalog(path, .create)
            var changes = plan.topics.map { Catalog.Change.create($0) }
            // Damaged segments are given up later, when what is intact of them is written again.
            let aside = Set(plan.asideSegments)
            for range in plan.givenUp.ranges {
                for number in range where !aside.contains(number) { changes.append(.giveUp(segment: number)) }
            }
            for (name, value) in plan.counters { changes.append(.counter(name, value)) }
            try catalog.apply(changes)
            if try plan.nextTopic > catalog.load().nextTopic { try catalog.reserveNumbers(below: plan.nextTopic) }
            try catalog.close()
        } catch {
            throw DataFolderError(error, of: path)
        }
        unlink("\(path)-reserve")
        for suffix in ["", "-wal", "-shm"] {
            let old = folder.catalogPath + suffix
            guard link(old, "\(aside)/\(DataFolder.catalogName)\(suffix)") == 0 || errno == EEXIST || errno == ENOENT
            else { throw .failed(path: old, reason: DataFolder.lastReason) }
        }
        try Self.rename(path, to: DataFolder.repairedCatalogName, in: folder.path)
        try Self.finishCatalog(in: folder.path)
    }

    /// Has a catalog that was made anew take the place of the old one, if there is one.
    ///
    /// From when it has its name for the time between, whoever opens the folder goes on from here: the old log must
    /// never be taken for one of the new file, nor the old file be used without its log.
    static func finishCatalog(in path: String) throws(DataFolderError) {
        let repaired = "\(path)/\(DataFolder.repairedCatalogName)"
        guard access(repaired, F_OK) == 0 else { return }
        for suffix in ["-wal", "-shm"] {
            let old = "\(path)/\(DataFolder.catalogName)\(suffix)"
            guard unlink(old) == 0 || errno == ENOENT else { throw .failed(path: old, reason: DataFolder.lastReason) }
        }
        try rename(repaired, to: DataFolder.catalogName, in: path)
    }

    private static func rename(_ old: String, to name: String, in path: String) throws(DataFolderError) {
        guard Glibc.rename(old, "\(path)/\(name)") == 0 else {
            throw .failed(path: old, reason: DataFolder.lastReason)
        }
        guard let disk = try? SystemDisk(path), (try? disk.syncNames()) != nil else {
            throw .failed(path: path, reason: DataFolder.lastReason)
        }
    }
}

extension SegmentWriter {
    /// Appends records as one commit.
    fileprivate mutating func append(records: [[UInt8]]) throws(DiskError) {
        var held: [UnsafeMutableRawBufferPointer] = []
        defer { for bytes in held { bytes.deallocate() } }
        var entries: [Entry] = []
        for record in records {
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: record.count, alignment: RecordHead.alignment)
            copy.copyBytes(from: record)
            held.append(copy)
            guard let head = RecordHead(UnsafeRawBufferPointer(copy)) else { continue }
            entries.append(Entry(head.batch, [UnsafeRawBufferPointer(rebasing: copy[RecordHead.size...])]))
        }
        _ = try append(entries, isKept: true)
    }
}
