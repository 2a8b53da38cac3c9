package import Glibc

// Unix sockets: a file instead of an address and a port.

extension Socket {
    /// The longest path in bytes that works with every system and client library.
    package static let maximumPathLength = 103
    /// How often to try for a folder lock that another process holds, and the pause between attempts in microseconds.
    private static let lockAttempts = 20
    private static let lockPause: useconds_t = 10_000

    /// Listens at a path, with a file of these permissions. Replaces the file of a server that no longer runs.
    ///
    /// - Throws: ``SocketError``. The error of `bind` has the code `EADDRINUSE` if a server listens there, and `EEXIST`
    ///   if the file is not a socket.
    package static func listening(
        atPath path: String,
        mode: UInt32
    ) throws(SocketError) -> (socket: Socket, file: SocketFile) {
        // If two servers start at the same moment, neither may take the other's file for that of a dead server.
        let folder = lockedFolder(of: path)
        defer { if folder >= 0 { Glibc.close(folder) } }
        do {
            return try bound(toPath: path, mode: mode)
        } catch {
            guard error.call == "bind", error.code == EADDRINUSE else { throw error }
            try removeDeadSocket(path)
            return try bound(toPath: path, mode: mode)
        }
    }

    private static func bound(
        toPath path: String,
        mode: UInt32
    ) throws(SocketError) -> (socket: Socket, file: SocketFile) {
        let listener = try withUnixAddress(path) { address, size throws(SocketError) in
            let socket = try stream(family: AF_UNIX)
            // The file inherits the permissions of the descriptor, so nobody else gets access even for a moment.
            fchmod(socket.descriptor, mode)
            return try socket.listening(on: address, size: size)
        }
        // Restores the permissions that the process's umask has removed.
        guard let file = SocketFile(path: path), chmod(path, mode) == 0 else {
            let error = SocketError("chmod")
            listener.close()
            throw error
        }
        return (listener, file)
    }

    /// Removes the file of a socket at which nobody listens.
    private static func removeDeadSocket(_ path: String) throws(SocketError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw SocketError("bind", code: EEXIST) }
        let probe = try stream(family: AF_UNIX)
        defer { probe.close() }
        let answer = try withUnixAddress(path) { address, size throws(SocketError) in
            connect(probe.descriptor, address, size) == 0 ? 0 : errno
        }
        // A server that is busy or denies access is alive, too.
        guard answer == ECONNREFUSED else { throw SocketError("bind", code: EADDRINUSE) }
        unlink(path)
    }

    /// A descriptor that holds the lock on a file's folder, if possible.
    ///
    /// It continues without the lock if another process keeps it. Otherwise anybody who can read the folder could
    /// prevent the server from starting.
    private static func lockedFolder(of path: String) -> CInt {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return descriptor }
        for _ in 0..<lockAttempts {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { break }
            usleep(lockPause)
        }
        return descriptor
    }

    /// Calls `body` with the socket address of a path.
    ///
    /// - Throws: ``SocketError`` of `path` if the path is not usable, and any error of `body`.
    package static func withUnixAddress<Value>(
        _ path: String,
        _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SocketError) -> Value
    ) throws(SocketError) -> Value {
        guard (1...maximumPathLength).contains(path.utf8.count), !path.utf8.contains(0) else {
            throw SocketError("path", code: ENAMETOOLONG)
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return try withUnsafePointer(to: &address) { pointer throws(SocketError) in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address throws(SocketError) in
                try body(address, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    /// The path that this end is bound to; `nil` if it is not a Unix socket. An abstract address begins with `@`.
    package var localPath: String? {
        var address = sockaddr_un()
        var size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        guard result == 0, CInt(address.sun_family) == AF_UNIX else { return nil }
        let length = Int(size) - MemoryLayout<sa_family_t>.size
        var name = withUnsafeBytes(of: &address.sun_path) { Array($0.prefix(max(length, 0))) }
        if name.first == 0 {
            name[0] = UInt8(ascii: "@")
        } else if let end = name.firstIndex(of: 0) {
            name = Array(name[..<end])
        }
        return String(decoding: name, as: UTF8.self)
    }
}

// MARK: - Sockets that the process was started with

extension Socket {
    /// Whether this is a listening stream socket.
    package var isListening: Bool {
        option(SO_TYPE) == CInt(SOCK_STREAM.rawValue) && option(SO_ACCEPTCONN) == 1
    }

    private func option(_ name: CInt) -> CInt? {
        var value: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        return getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : nil
    }

    /// Makes the socket like those opened here: non-blocking, and closed when another program is executed.
    package func adopt() {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, fcntl(descriptor, F_GETFD) | FD_CLOEXEC)
    }
}
