import Foundation
import Glibc

/// A folder that is only looked at, beside the server that has it or without one. Nothing is locked.
package struct FolderView: Sendable {
    package let path: String
    package let segments: any Disk

    /// Of a repair that was interrupted, the new one.
    package var catalogPath: String {
        let repaired = "\(path)/\(DataFolder.repairedCatalogName)"
        return access(repaired, F_OK) == 0 ? repaired : "\(path)/\(DataFolder.catalogName)"
    }
    package var segmentsPath: String { "\(path)/\(DataFolder.segmentsName)" }

    package init(_ path: String) throws(DataFolderError) {
        self.path = path
        let names: [String]
        do throws(DiskError) {
            names = try SystemDisk(path).names()
        } catch {
            throw .failed(path: path, reason: error.reason)
        }
        try DataFolder.checkWhole(path, names)
        guard names.contains(DataFolder.catalogName) || names.contains(DataFolder.segmentsName) else {
            throw .foreign(folder: path)
        }
        let segmentsPath = "\(path)/\(DataFolder.segmentsName)"
        do throws(DiskError) {
            segments = try SystemDisk(segmentsPath, isReadOnly: true)
        } catch  where error.isMissing {
            throw .damaged(DataFolderError.Damage(path: segmentsPath, detail: "it is missing"))
        } catch {
            throw .failed(path: segmentsPath, reason: error.reason)
        }
    }

    /// Reads the catalog as it is now.
    package func catalog() throws(DataFolderError) -> Catalog.Contents {
        do throws(CatalogError) {
            if isLogDamaged { throw CatalogError.damaged("its write-ahead log \(catalogPath)-wal is damaged") }
            return try Catalog(catalogPath, .read).load()
        } catch {
            throw DataFolderError(error, of: catalogPath)
        }
    }

    /// Whether the catalog's write-ahead log is damaged. A server may be writing it, so it has to look the same twice.
    var isLogDamaged: Bool {
        let path = "\(catalogPath)-wal"
        for _ in 0..<Self.tries {
            let before = FileManager.default.contents(atPath: path)
            guard WriteAheadLog.isDamaged(path) else { return false }
            usleep(20_000)
            if FileManager.default.contents(atPath: path) == before { return true }
        }
        return false
    }

    /// How often something is read again that a server may have changed meanwhile.
    static let tries = 10
}

extension FolderView {
    /// The topics, and the records of each that a start would find.
    package struct Contents: Sendable {
        package var catalog: Catalog.Contents
        package var table: SegmentTable
        /// The bytes of the segments' files.
        package var fileBytes: Int
    }

    /// Reads the catalog and the segments' indexes; segments that have none are read.
    package func contents() throws(DataFolderError) -> Contents {
        for _ in 1..<Self.tries {
            // Where a server has given something up, or is writing it, another look finds all of it.
            do throws(DataFolderError) { return try look() } catch { usleep(20_000) }
        }
        return try look()
    }

    private func look() throws(DataFolderError) -> Contents {
        let catalog = try catalog()
        let (log, names): (LogRecovery, [String])
        do throws(LogFailure) {
            log = try LogRecovery(segments, givenUp: catalog.givenUp, mode: .look)
            do throws(DiskError) { names = try segments.names() } catch { throw .disk(error) }
        } catch {
            throw failure(error, catalog)
        }
        var table = SegmentTable(log.segments)
        if let (topic, record) = DataFolder.keep(catalog, in: &table) {
            let file = "\(segmentsPath)/\(SegmentHead.fileName(record.segment))"
            let detail = "topic number \(topic) is missing, of which \(file) has messages at byte \(record.place)"
            throw .damaged(DataFolderError.Damage(path: catalogPath, detail: detail))
        }
        var bytes = 0
        for name in names where SegmentHead.number(inName: name) != nil {
            bytes += (try? segments.open(name).size()) ?? 0
        }
        return Contents(catalog: catalog, table: table, fileBytes: bytes)
    }

    /// What went wrong with the log, for people.
    package func failure(_ failure: LogFailure, _ contents: Catalog.Contents) -> DataFolderError {
        var topic: Catalog.Topic?
        if case .damaged(_, _, let lost?) = failure { topic = contents.topics.first { $0.number == lost.topic } }
        return DataFolderError(failure, topic: topic?.name, in: segmentsPath)
    }
}
