import Glibc

/// The room on file systems.
enum FreeSpace {
    /// How many bytes the server may still write on the file system that has a path; `nil` if it cannot be told.
    static func bytes(at path: String) -> Int? {
        var system = statvfs()
        guard statvfs(path, &system) == 0 else { return nil }
        let (bytes, isTooMuch) = UInt64(system.f_bavail).multipliedReportingOverflow(by: UInt64(system.f_frsize))
        return Int(clamping: isTooMuch ? .max : bytes)
    }
}
