public import Glibc

/// The descriptor of a non-blocking stream socket. Its owner must close it.
public struct Socket: Equatable, Sendable {
    public let descriptor: CInt

    public init(descriptor: CInt) {
        self.descriptor = descriptor
    }

    /// The result of sending or receiving bytes.
    public enum Transfer: Equatable, Sendable {
        /// The number of bytes transferred. When receiving, 0 means that the peer sends nothing more.
        case bytes(Int)
        /// Nothing can be transferred now.
        case wouldBlock
        case failed
    }

    /// Sends as many bytes as the kernel accepts (send(2)).
    @inline(__always)
    public func send(_ bytes: UnsafeRawBufferPointer) -> Transfer {
        while true {
            let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
            if count >= 0 { return .bytes(count) }
            if errno == EINTR { continue }
            return errno == EAGAIN || errno == EWOULDBLOCK ? .wouldBlock : .failed
        }
    }

    /// Sends as many bytes of the slices, in their order, as the kernel accepts (sendmsg(2)).
    public func send(_ slices: UnsafeMutableBufferPointer<iovec>) -> Transfer {
        var message = msghdr()
        message.msg_iov = slices.baseAddress
        message.msg_iovlen = slices.count
        while true {
            let count = sendmsg(descriptor, &message, CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
            if count >= 0 { return .bytes(count) }
            if errno == EINTR { continue }
            return errno == EAGAIN || errno == EWOULDBLOCK ? .wouldBlock : .failed
        }
    }

    /// Receives available bytes (recv(2)).
    @inline(__always)
    public func receive(into space: UnsafeMutableRawBufferPointer) -> Transfer {
        take(into: space, flags: MSG_DONTWAIT)
    }

    /// Copies available bytes without consuming them.
    public func peek(into space: UnsafeMutableRawBufferPointer) -> Transfer {
        take(into: space, flags: MSG_DONTWAIT | MSG_PEEK)
    }

    @inline(__always)
    private func take(into space: UnsafeMutableRawBufferPointer, flags: Int) -> Transfer {
        while true {
            let count = recv(descriptor, space.baseAddress, space.count, CInt(flags))
            if count >= 0 { return .bytes(count) }
            if errno == EINTR { continue }
            return errno == EAGAIN || errno == EWOULDBLOCK ? .wouldBlock : .failed
        }
    }

    /// Signals the end of output. Bytes already accepted are still sent.
    public func finishSending() {
        shutdown(descriptor, CInt(SHUT_WR))
    }

    /// Ends the input: what is received from now on is the end.
    public func finishReceiving() {
        shutdown(descriptor, CInt(SHUT_RD))
    }

    public func close() {
        Glibc.close(descriptor)
    }

    /// A second descriptor of the same connection. It stays open when the first is closed.
    ///
    /// - Throws: ``SocketError`` of `fcntl`.
    package func duplicated() throws(SocketError) -> Socket {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw SocketError("fcntl") }
        return Socket(descriptor: copy)
    }

    /// Sends small writes at once (TCP_NODELAY). Has no effect on sockets other than TCP.
    public func disableDelay() {
        var isOn: CInt = 1
        setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<CInt>.size))
    }

    // MARK: Addresses

    /// The address of the other end.
    package var peerAddress: PeerAddress { address(getpeername) }

    /// The address of this end.
    package var localAddress: PeerAddress { address(getsockname) }

    private func address(
        _ name: (CInt, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> CInt
    ) -> PeerAddress {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutableBytes(of: &storage) { bytes in
            bytes.assumingMemoryBound(to: sockaddr.self).baseAddress.map { name(descriptor, $0, &size) } ?? -1
        }
        return result == 0 ? PeerAddress(storage) : .unknown
    }
}
