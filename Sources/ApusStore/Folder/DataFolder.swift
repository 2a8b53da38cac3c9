import Glibc

/// The folder that a server keeps its topics in. No other server can have it while this one does.
///
/// ```
/// DIR/LOCK   DIR/catalog.sqlite   DIR/segments/0000000042.seg   DIR/segments/0000000042.seg.idx
/// ```
package final class DataFolder: Sendable {
    package static let (lockName, catalogName, segmentsName) = ("LOCK", "catalog.sqlite", "segments")

    /// A catalog that a backup has not finished, and one that a repair has.
    static let (partialCatalogName, repairedCatalogName) = ("catalog.sqlite.partial", "catalog.sqlite.repaired")

    package let path: String
    package let segments: any Disk
    private let lock: FolderLock

    package var catalogPath: String { "\(path)/\(Self.catalogName)" }
    package var segmentsPath: String { "\(path)/\(Self.segmentsName)" }

    /// Makes the folder if it is not there (but not what it is in), and locks it until this is let go of.
    package init(_ path: String) throws(DataFolderError) {
        self.path = path
        try Self.make(path)
        try Self.checkWritable(path)
        try Self.checkContents(path)
        lock = try FolderLock(path)
        try FolderRepair.finishCatalog(in: path)
        let segmentsPath = "\(path)/\(Self.segmentsName)"
        try Self.make(segmentsPath)
        try Self.checkWritable(segmentsPath)
        do throws(DiskError) {
            segments = try SystemDisk(segmentsPath)
        } catch {
            throw .failed(path: segmentsPath, reason: error.reason)
        }
    }

    /// Opens the catalog; makes it where the folder has no messages either.
    package func openCatalog() throws(DataFolderError) -> Catalog {
        let hasMessages: Bool
        do throws(DiskError) {
            hasMessages = try segments.names().contains { SegmentHead.number(inName: $0) != nil }
        } catch {
            throw .failed(path: segmentsPath, reason: error.reason)
        }
        if access(catalogPath, F_OK) == 0 { try Self.checkWritable(catalogPath, mode: R_OK | W_OK) }
        if !hasMessages {
            // SQLite would let everybody read it. Its other files get the mode of this one.
            let file = open(catalogPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
            if file >= 0 { close(file) }
        }
        do throws(CatalogError) {
            return try Catalog(catalogPath, hasMessages ? .change : .create)
        } catch {
            throw DataFolderError(error, of: catalogPath)
        }
    }

    /// Reads the catalog's contents.
    package func load(_ catalog: Catalog) throws(DataFolderError) -> Catalog.Contents {
        do throws(CatalogError) {
            return try catalog.load()
        } catch {
            throw DataFolderError(error, of: catalogPath)
        }
    }

    // MARK: Making and checking

    private static func make(_ path: String) throws(DataFolderError) {
        if mkdir(path, 0o750) == 0 {
            syncParent(of: path)
        } else if errno != EEXIST {
            throw .cannotBeMade(path: path, reason: lastReason)
        }
        var status = stat()
        guard stat(path, &status) == 0 else { throw .failed(path: path, reason: lastReason) }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw .cannotBeMade(path: path, reason: "it is no folder") }
    }

    /// Its name is in the folder above. File systems that cannot do this need it not.
    private static func syncParent(of path: String) {
        let parent = open("\(path)/..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard parent >= 0 else { return }
        fsync(parent)
        close(parent)
    }

    private static func checkWritable(_ path: String, mode: CInt = R_OK | W_OK | X_OK) throws(DataFolderError) {
        guard faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0 else {
            throw .notWritable(path: path, reason: lastReason)
        }
    }

    /// Somebody's home, for example, is no place for this.
    private static func checkContents(_ path: String) throws(DataFolderError) {
        let names: [String]
        do throws(DiskError) {
            names = try SystemDisk(path).names()
        } catch {
            throw .failed(path: path, reason: error.reason)
        }
        try checkWhole(path, names)
        let isOurs = names.contains(catalogName) || names.contains(segmentsName) || names.contains(lockName)
        // The last is what a new file system has.
        guard isOurs || Set(names).isSubset(of: ["lost+found"]) else { throw .foreign(folder: path) }
    }

    /// - Parameter names: of what is in the folder.
    static func checkWhole(_ path: String, _ names: [String]) throws(DataFolderError) {
        guard names.contains(partialCatalogName) else { return }
        let detail = "the backup that was to make this folder was interrupted: remove the folder, and make another one"
        throw .damaged(DataFolderError.Damage(path: "\(path)/\(partialCatalogName)", detail: detail))
    }

    static var lastReason: String { DiskError("", "", code: errno).reason }
}

extension DataFolderError {
    /// - Parameter path: of the catalog.
    package init(_ error: CatalogError, of path: String) {
        switch error {
        case .full, .failed: self = .failed(path: path, reason: "\(error)")
        case .version(let version): self = .newer(path: path, version: version)
        case .damaged(let detail): self = .damaged(Damage(path: path, detail: detail))
        case .damagedTopic(let number, let name):
            self = .damaged(
                Damage(path: path, topic: name, detail: "its row, number \(number), is not as it was written")
            )
        }
    }
}
