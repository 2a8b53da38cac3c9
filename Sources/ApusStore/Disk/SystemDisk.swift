import CEpoll
import Glibc

/// A folder of the file system.
package final class SystemDisk: Disk {
    private let folder: CInt
    private let access: CInt
    private let removed = RemovedFiles()

    /// - Parameters:
    ///   - path: of a folder that exists.
    ///   - isReadOnly: whether its files are only looked at.
    package init(_ path: String, isReadOnly: Bool = false) throws(DiskError) {
        access = isReadOnly ? O_RDONLY : O_RDWR
        folder = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw DiskError("open", "", code: errno) }
    }

    deinit { close(folder) }

    package func create(_ name: String, size: Int) throws(DiskError) -> any DiskFile {
        let file = try SystemFile(name, in: folder, flags: O_RDWR | O_CREAT | O_EXCL, removed)
        do throws(DiskError) {
            try file.allocate(size)
        } catch {
            // What is left would be taken for a file with a header that was lost.
            unlinkat(folder, name, 0)
            throw error
        }
        return file
    }

    package func open(_ name: String) throws(DiskError) -> any DiskFile {
        try SystemFile(name, in: folder, flags: access, removed)
    }

    package func names() throws(DiskError) -> [String] {
        // A descriptor of its own, as the one of the folder has one place in it for all.
        let copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0, let list = fdopendir(copy) else {
            let code = errno
            if copy >= 0 { close(copy) }
            throw DiskError("opendir", "", code: code)
        }
        defer { closedir(list) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(list) else {
                guard errno == 0 else { throw DiskError("readdir", "", code: errno) }
                return names
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
    }

    package func remove(_ name: String) throws(DiskError) {
        let file = openat(folder, name, O_RDONLY | O_CLOEXEC)
        guard unlinkat(folder, name, 0) == 0 else {
            let code = errno
            if file >= 0 { close(file) }
            throw DiskError("unlink", name, code: code)
        }
        if file >= 0 { removed.close(file) }
    }

    package func syncNames() throws(DiskError) {
        guard fsync(folder) == 0 else { throw DiskError("fsync", "", code: errno) }
    }
}

private final class SystemFile: DiskFile {
    let name: String
    private let descriptor: CInt
    private let removed: RemovedFiles
    /// How many parts one call takes (IOV_MAX).
    private static let maxVectors = 1024

    init(_ name: String, in folder: CInt, flags: CInt, _ removed: RemovedFiles) throws(DiskError) {
        self.name = name
        self.removed = removed
        descriptor = openat(folder, name, O_CLOEXEC | flags, 0o640)
        guard descriptor >= 0 else { throw DiskError("open", name, code: errno) }
    }

    deinit { close(descriptor) }

    func allocate(_ size: Int) throws(DiskError) {
        guard size > 0 else { return }
        // Unlike the others, it returns the code.
        var code = posix_fallocate(descriptor, 0, size)
        if code == ENOSPC {
            removed.wait()
            code = posix_fallocate(descriptor, 0, size)
        }
        guard code == 0 else { throw DiskError("fallocate", name, code: code) }
    }

    func size() throws(DiskError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw DiskError("fstat", name, code: errno) }
        return Int(status.st_size)
    }

    func write(_ parts: [UnsafeRawBufferPointer], at place: Int) throws(DiskError) {
        var vectors = parts.map {
            iovec(iov_base: UnsafeMutableRawPointer(mutating: $0.baseAddress), iov_len: $0.count)
        }
        var (next, place) = (0, place)
        while true {
            while next < vectors.count, vectors[next].iov_len == 0 { next += 1 }
            guard next < vectors.count else { return }
            let count = vectors[next...].withUnsafeBufferPointer { rest in
                pwritev(descriptor, rest.baseAddress, CInt(min(rest.count, Self.maxVectors)), off_t(place))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw DiskError("pwritev", name, code: count == 0 ? EIO : errno) }
            place += count
            skip(count, in: &vectors, from: &next)
        }
    }

    /// Moves on past what was written.
    private func skip(_ count: Int, in vectors: inout [iovec], from next: inout Int) {
        var count = count
        while count > 0 {
            let part = min(count, vectors[next].iov_len)
            vectors[next].iov_base = vectors[next].iov_base.map { $0 + part }
            vectors[next].iov_len -= part
            count -= part
            if vectors[next].iov_len == 0 { next += 1 }
        }
    }

    func read(into room: UnsafeMutableRawBufferPointer, at place: Int) throws(DiskError) -> Int {
        var done = 0
        while done < room.count {
            let count = pread(descriptor, room.baseAddress.map { $0 + done }, room.count - done, off_t(place + done))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw DiskError("pread", name, code: errno) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func sync() throws(DiskError) {
        guard fdatasync(descriptor) == 0 else { throw DiskError("fdatasync", name, code: errno) }
    }

    func beginSync(of bytes: Range<Int>) {
        cepoll_begin_sync(descriptor, bytes.lowerBound, bytes.count)
    }

    func truncate(to size: Int) throws(DiskError) {
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw DiskError("ftruncate", name, code: errno) }
    }
}

extension DiskError {
    /// Whether there is no room, which may change.
    package var isFull: Bool { code == ENOSPC || code == EDQUOT }

    package var isMissing: Bool { code == ENOENT }

    /// What the system says about it.
    package var reason: String { strerror(code).map { String(cString: $0) } ?? "error \(code)" }

    package var description: String {
        name.isEmpty ? "\(call): \(reason)" : "\(name): \(call): \(reason)"
    }
}
