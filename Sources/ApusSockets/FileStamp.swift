import Glibc

/// What tells a file from the one that was there before, without reading it.
///
/// A symbolic link counts as the file that it leads to, through however many links. So a mounted Kubernetes secret,
/// whose folder is a link that is swapped, changes as well.
package struct FileStamp: Equatable, Sendable {
    private let device: UInt64
    private let inode: UInt64
    private let size: Int64
    /// When the contents and the file's own data changed last, in nanoseconds since 1970.
    private let modified: Int64
    private let changed: Int64

    /// `nil` if there is no such file.
    package init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        modified = Self.nanoseconds(status.st_mtim)
        changed = Self.nanoseconds(status.st_ctim)
    }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }

    package static func all(_ paths: [String]) -> [FileStamp?] { paths.map { FileStamp($0) } }
}
