import Glibc

/// The file of a Unix socket, as it was when the socket was made.
public struct SocketFile: Sendable, Equatable {
    public let path: String
    private let device: dev_t
    private let number: ino_t
    // A file that is made when another one is removed often gets its number. Nothing that is done to a socket's file
    // but its making changes this time: not who may use it, and not its use.
    private let seconds: Int
    private let nanoseconds: Int

    /// The file that is at a path now; nil where there is none.
    init?(path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        self.path = path
        device = status.st_dev
        number = status.st_ino
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
    }

    /// Removes it, unless another one has come in its place meanwhile.
    public func remove() {
        if SocketFile(path: path) == self { unlink(path) }
    }
}
