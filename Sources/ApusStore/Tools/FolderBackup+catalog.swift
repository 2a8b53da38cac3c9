import GRDB
import Glibc

// The catalog of a backup.

extension FolderBackup {
    mutating func makePartialCatalog() throws(DataFolderError) {
        // SQLite would let everybody read it.
        let file = open(partialCatalog, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard file >= 0 else { throw .cannotBeMade(path: partialCatalog, reason: DataFolder.lastReason) }
        close(file)
        made += ["", "-wal", "-shm", "-reserve"].map { partialCatalog + $0 }
    }

    /// Copies the catalog as it is at one moment. Returns what is in it.
    mutating func copyCatalog() throws(DataFolderError) -> Catalog.Contents {
        try makePartialCatalog()
        // Checked, too.
        _ = try view.catalog()
        do {
            let source = try Catalog(view.catalogPath, .read)
            let copy = try DatabaseQueue(path: partialCatalog)
            try source.queue.backup(to: copy)
            try copy.close()
            let contents = try Catalog(partialCatalog, .change).load()
            summary.topics = contents.topics.count
            return contents
        } catch {
            throw DataFolderError(CatalogError(opening: error), of: view.catalogPath)
        }
    }

    /// Gives the catalog its name, when everything is beyond a crash of the machine.
    mutating func finish(_ contents: Catalog.Contents) throws(DataFolderError) {
        let next = try view.catalog().nextTopic
        do throws(CatalogError) {
            let catalog = try Catalog(partialCatalog, .change)
            if next > contents.nextTopic { try catalog.reserveNumbers(below: next) }
            try catalog.close()
        } catch {
            throw DataFolderError(error, of: partialCatalog)
        }
        unlink(partialCatalog + "-reserve")
        let path = "\(target)/\(DataFolder.catalogName)"
        try Self.sync(partialCatalog)
        try Self.sync(targetSegments)
        guard rename(partialCatalog, path) == 0 else {
            throw .cannotBeMade(path: path, reason: DataFolder.lastReason)
        }
        made.append(path)
        try Self.sync(target)
        try Self.sync("\(target)/..")
        // What cannot be started from is no backup.
        _ = try FolderView(target).contents()
        // Reading it made these, which are empty.
        for suffix in ["-shm", "-wal"] { unlink(path + suffix) }
    }

    private static func sync(_ path: String) throws(DataFolderError) {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .failed(path: path, reason: DataFolder.lastReason) }
        defer { close(file) }
        guard fsync(file) == 0 else { throw .failed(path: path, reason: DataFolder.lastReason) }
    }
}

extension Catalog {
    /// Has no topic get a number below another one from now on.
    func reserveNumbers(below next: UInt32) throws(CatalogError) {
        let last = Topic(number: next - 1, name: [], epoch: "", durability: .memory, settings: "{}", created: 0)
        try apply([.create(last), .delete(topic: last.number)])
    }

    /// Closes the file, so that everything is in it and nothing beside it.
    func close() throws(CatalogError) {
        do { try queue.close() } catch { throw CatalogError(error) }
    }
}
