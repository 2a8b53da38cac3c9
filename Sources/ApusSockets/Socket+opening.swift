import CEpoll
import Glibc

// How sockets come to be: a listener, what it accepts, and for tests a pair.

extension Socket {
    /// How many connections may wait to be accepted; the kernel's own limit, where that is lower.
    private static let backlog: CInt = 4096

    /// Listens on an address of this machine: the first that the host's name or number stands for.
    ///
    /// - Throws: ``SocketError``, of `getaddrinfo` when the host is not known.
    public static func listening(on host: String, port: Int) throws(SocketError) -> Socket {
        // The library would take the lowest 16 bits of any number.
        guard let port = UInt16(exactly: port) else { throw SocketError("bind", code: EINVAL) }
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, String(port), &hints, &found)
        guard result == 0, let first = found, let address = first.pointee.ai_addr else {
            throw SocketError("getaddrinfo", code: result == EAI_SYSTEM ? errno : ENOENT)
        }
        defer { freeaddrinfo(found) }
        return try listening(on: address, size: first.pointee.ai_addrlen)
    }

    private static func listening(
        on address: UnsafePointer<sockaddr>,
        size: socklen_t
    ) throws(SocketError) -> Socket {
        let kind = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = Glibc.socket(CInt(address.pointee.sa_family), kind, 0)
        guard descriptor >= 0 else { throw SocketError("socket") }
        let listener = Socket(descriptor: descriptor)
        var isOn: CInt = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isOn, socklen_t(MemoryLayout<CInt>.size))
        var failed = "bind"
        if bind(descriptor, address, size) == 0 {
            failed = "listen"
            if listen(descriptor, backlog) == 0 { return listener }
        }
        let error = SocketError(failed)
        listener.close()
        throw error
    }

    /// The next connection that waits at this listener; `nil` when there is none now.
    public func accept() throws(SocketError) -> (socket: Socket, peer: PeerAddress)? {
        while true {
            var storage = sockaddr_storage()
            var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let flags = CInt(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
            let accepted = withUnsafeMutableBytes(of: &storage) { bytes in
                cepoll_accept4(descriptor, bytes.baseAddress, &size, flags)
            }
            if accepted >= 0 { return (Socket(descriptor: accepted), PeerAddress(storage)) }
            switch errno {
            // The peer gave up while it waited.
            case EINTR, ECONNABORTED: continue
            case EAGAIN, EWOULDBLOCK: return nil
            default: throw SocketError("accept4")
            }
        }
    }

    /// Two sockets that are connected to each other.
    public static func pair() throws(SocketError) -> (Socket, Socket) {
        var descriptors: (CInt, CInt) = (-1, -1)
        let kind = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let result = withUnsafeMutableBytes(of: &descriptors) {
            socketpair(AF_UNIX, kind, 0, $0.assumingMemoryBound(to: CInt.self).baseAddress)
        }
        guard result == 0 else { throw SocketError("socketpair") }
        return (Socket(descriptor: descriptors.0), Socket(descriptor: descriptors.1))
    }
}
