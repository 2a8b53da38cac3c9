import Glibc

/// A lock on a folder. It goes with the process, in whatever way that ends.
final class FolderLock: Sendable {
    private let descriptor: CInt

    init(_ folder: String) throws(DataFolderError) {
        let path = "\(folder)/\(DataFolder.lockName)"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw .notWritable(path: path, reason: DataFolder.lastReason) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let failure: DataFolderError =
                errno == EWOULDBLOCK
                ? .inUse(folder: folder, process: process()) : .failed(path: path, reason: DataFolder.lastReason)
            close(descriptor)
            throw failure
        }
        // For people only, so a disk without room does not matter.
        let text = Array("\(getpid())\n".utf8)
        if ftruncate(descriptor, 0) == 0 { pwrite(descriptor, text, text.count, 0) }
    }

    deinit { close(descriptor) }

    /// The process that has the lock.
    private func process() -> Int? {
        var bytes = [UInt8](repeating: 0, count: 20)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return Int(String(decoding: bytes.prefix(count).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }
}
