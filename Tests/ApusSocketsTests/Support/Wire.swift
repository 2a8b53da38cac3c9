import ApusSockets
import Glibc

/// Two sockets that are connected to each other, closed with this.
final class Wire {
    let near: Socket
    let far: Socket
    private var isFarOpen = true

    init() throws {
        (near, far) = try Socket.pair()
    }

    deinit {
        near.close()
        hangUp()
    }

    /// The far end goes.
    func hangUp() {
        if isFarOpen { far.close() }
        isFarOpen = false
    }
}

extension Socket {
    @discardableResult
    func send(_ text: String) -> Transfer {
        Array(text.utf8).withUnsafeBytes { send($0) }
    }

    func send(slices texts: [String]) -> Transfer {
        let bytes = texts.map { UnsafeMutableBufferPointer<UInt8>.allocate(capacity: $0.utf8.count) }
        defer { for each in bytes { each.deallocate() } }
        for (each, text) in zip(bytes, texts) { _ = each.initialize(from: text.utf8) }
        var slices = bytes.map { iovec(iov_base: $0.baseAddress, iov_len: $0.count) }
        return slices.withUnsafeMutableBufferPointer { send($0) }
    }

    /// What has come, at most 64 bytes of it; `nil` when nothing has.
    func receiveText() -> String? { text { receive(into: $0) } }

    func peekText() -> String? { text { peek(into: $0) } }

    private func text(_ take: (UnsafeMutableRawBufferPointer) -> Transfer) -> String? {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { space in
            guard case .bytes(let count) = take(space) else { return nil }
            return String(decoding: space[..<count], as: UTF8.self)
        }
    }

    var isOpen: Bool { fcntl(descriptor, F_GETFD) >= 0 }

    /// Whether an `exec` closes it.
    var isClosedByExec: Bool { fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0 }

    var isBlocking: Bool { fcntl(descriptor, F_GETFL) & O_NONBLOCK == 0 }

    /// A socket with a connection to a port of this machine.
    static func connected(to address: PeerAddress) throws -> Socket {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address.ipAddress, String(address.port), &hints, &found) == 0, let info = found else {
            throw SocketError("getaddrinfo", code: EINVAL)
        }
        defer { freeaddrinfo(found) }
        let socket = Socket(descriptor: Glibc.socket(info.pointee.ai_family, CInt(SOCK_STREAM.rawValue), 0))
        guard connect(socket.descriptor, info.pointee.ai_addr, info.pointee.ai_addrlen) == 0 else {
            defer { socket.close() }
            throw SocketError("connect", code: errno)
        }
        return socket
    }

    /// The next connection at this listener: one that a client believes in may still be on its way.
    func acceptNext() throws -> (socket: Socket, peer: PeerAddress) {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard Glibc.poll(&request, 1, 10_000) == 1, let accepted = try accept() else {
            throw SocketError("accept4", code: ETIMEDOUT)
        }
        return accepted
    }
}
