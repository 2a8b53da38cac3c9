import CEpoll
import Glibc

// Opening sockets: listeners, accepted connections, and pairs for tests.

extension Socket {
    /// How many connections may wait to be accepted, unless the kernel's own limit is lower.
    private static let backlog: CInt = 4096

    /// Listens on an address of this machine: the first one that the host name or address resolves to.
    ///
    /// - Parameter isIPv6Only: whether an IPv6 wildcard address leaves IPv4 to another socket.
    /// - Throws: ``SocketError``. The error of `getaddrinfo` has the code `ENOENT` if there is no such host, and
    ///   `EAGAIN` if name resolution failed temporarily.
    package static func listening(
        on host: String,
        port: Int,
        isIPv6Only: Bool = false
    ) throws(SocketError) -> Socket {
        // The library would use the lowest 16 bits of any number.
        guard let port = UInt16(exactly: port) else { throw SocketError("bind", code: EINVAL) }
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, String(port), &hints, &found)
        guard result == 0, let first = found, let address = first.pointee.ai_addr else {
            switch result {
            case EAI_SYSTEM: throw SocketError("getaddrinfo")
            case EAI_AGAIN: throw SocketError("getaddrinfo", code: EAGAIN)
            default: throw SocketError("getaddrinfo", code: ENOENT)
            }
        }
        defer { freeaddrinfo(found) }
        return try listening(on: address, size: first.pointee.ai_addrlen, isIPv6Only: isIPv6Only)
    }

    private static func listening(
        on address: UnsafePointer<sockaddr>,
        size: socklen_t,
        isIPv6Only: Bool
    ) throws(SocketError) -> Socket {
        let listener = try stream(family: CInt(address.pointee.sa_family))
        var isOn: CInt = 1
        setsockopt(listener.descriptor, SOL_SOCKET, SO_REUSEADDR, &isOn, socklen_t(MemoryLayout<CInt>.size))
        if isIPv6Only {
            // Sockets of other families do not know this option, and do not need it.
            setsockopt(
                listener.descriptor,
                CInt(IPPROTO_IPV6),
                IPV6_V6ONLY,
                &isOn,
                socklen_t(MemoryLayout<CInt>.size)
            )
        }
        return try listener.listening(on: address, size: size)
    }

    /// A socket that is neither bound nor connected yet.
    static func stream(family: CInt) throws(SocketError) -> Socket {
        let kind = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = Glibc.socket(family, kind, 0)
        guard descriptor >= 0 else { throw SocketError("socket") }
        return Socket(descriptor: descriptor)
    }

    /// Binds this socket to the address and listens. Closes the socket on failure.
    func listening(on address: UnsafePointer<sockaddr>, size: socklen_t) throws(SocketError) -> Socket {
        var failed = "bind"
        if bind(descriptor, address, size) == 0 {
            failed = "listen"
            if listen(descriptor, Self.backlog) == 0 { return self }
        }
        let error = SocketError(failed)
        close()
        throw error
    }

    /// Accepts the next waiting connection; `nil` when there is none now.
    ///
    /// - Throws: ``SocketError`` of `accept4`.
    package func accept() throws(SocketError) -> (socket: Socket, peer: PeerAddress)? {
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
    ///
    /// - Throws: ``SocketError`` of `socketpair`.
    package static func pair() throws(SocketError) -> (Socket, Socket) {
        var descriptors: (CInt, CInt) = (-1, -1)
        let kind = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let result = withUnsafeMutableBytes(of: &descriptors) {
            socketpair(AF_UNIX, kind, 0, $0.assumingMemoryBound(to: CInt.self).baseAddress)
        }
        guard result == 0 else { throw SocketError("socketpair") }
        return (Socket(descriptor: descriptors.0), Socket(descriptor: descriptors.1))
    }
}
