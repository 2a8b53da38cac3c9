import Glibc

/// What the kernel knows of the bytes that a TCP socket was given: it tells a peer that reads slowly from one that is
/// gone.
public struct SocketProgress: Equatable, Sendable {
    /// How many bytes the peer's kernel has acknowledged since the beginning.
    public var acknowledged: UInt64
    /// How many bytes more the peer has room for, as it last said.
    public var window: UInt32
    /// How many bytes wait in this kernel: not sent, or not acknowledged.
    public var waiting: Int32

    public init(acknowledged: UInt64, window: UInt32, waiting: Int32) {
        self.acknowledged = acknowledged
        self.window = window
        self.waiting = waiting
    }
}

extension Socket {
    /// Where members of Linux's `tcp_info` lie, of which the C library's declaration has only the first.
    private static let (acknowledgedPlace, windowPlace, infoSize) = (120, 228, 232)

    /// Two system calls. `nil` of sockets that are not TCP's, and where the kernel is older than 5.4.
    public var progress: SocketProgress? {
        withUnsafeTemporaryAllocation(byteCount: Self.infoSize, alignment: 8) { info in
            var size = socklen_t(info.count)
            var waiting: CInt = 0
            guard getsockopt(descriptor, CInt(IPPROTO_TCP), TCP_INFO, info.baseAddress, &size) == 0,
                Int(size) == info.count, ioctl(descriptor, UInt(TIOCOUTQ), &waiting) == 0
            else { return nil }
            return SocketProgress(
                acknowledged: info.load(fromByteOffset: Self.acknowledgedPlace, as: UInt64.self),
                window: info.load(fromByteOffset: Self.windowPlace, as: UInt32.self),
                waiting: waiting
            )
        }
    }
}
