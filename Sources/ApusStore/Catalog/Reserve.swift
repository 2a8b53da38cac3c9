import Glibc
import Synchronization

/// A file that holds room, to be let go of when the disk is full: only when the catalog can say that a segment is given
/// up can the segment be removed.
final class Reserve: Sendable {
    private static let size = 1 << 20

    private let path: String
    /// Whether the file is there, as far as is known.
    private let isMade = Mutex(false)

    init(_ path: String) { self.path = path }

    /// Makes the file, if there is room.
    func make() {
        isMade.withLock { isMade in
            guard !isMade else { return }
            let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
            guard file >= 0 else { return }
            defer { close(file) }
            isMade = posix_fallocate(file, 0, off_t(Self.size)) == 0
            if !isMade { unlink(path) }
        }
    }

    /// Removes the file, also one that an earlier server has made. Returns whether there was one.
    func release() -> Bool {
        isMade.withLock { isMade in
            isMade = false
            return unlink(path) == 0
        }
    }
}
