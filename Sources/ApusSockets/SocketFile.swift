import Glibc

/// The file of a Unix socket, as it was when the socket was made.
public struct SocketFile: Sendable, Equatable {
    public let path: String
    private let device: dev_t
    private let number: ino_t

    /// The file that is at a path now; nil where there is none.
    init?(path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        self.path = path
        device = status.st_dev
        number = status.st_ino
    }

    /// Removes it, unless another one has come in its place meanwhile.
    public func remove() {
        if SocketFile(path: path) == self { unlink(path) }
    }
}
