import Glibc

/// The file of a Unix socket, as it was when the socket was created.
package struct SocketFile: Sendable, Equatable {
    package let path: String
    private let device: dev_t
    private let number: ino_t
    // A new file often gets the inode number of a file that was just removed. For a socket's file, only its creation
    // sets the modification time. Neither a change of its permissions nor its use does.
    private let seconds: Int
    private let nanoseconds: Int

    /// The file that is at a path now; `nil` if there is none.
    init?(path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        self.path = path
        device = status.st_dev
        number = status.st_ino
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
    }

    /// Removes the file, unless another file has replaced it meanwhile.
    package func remove() {
        if SocketFile(path: path) == self { unlink(path) }
    }
}
