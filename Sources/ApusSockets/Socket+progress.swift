import Glibc

/// What the kernel knows about the bytes sent on a TCP socket.
///
/// It distinguishes a peer that reads slowly from a peer that is gone.
package struct SocketProgress: Equatable, Sendable {
    /// The number of bytes that the peer's kernel has acknowledged since the beginning.
    package var acknowledged: UInt64
    /// The peer's receive window in bytes, as last advertised.
    package var window: UInt32
    /// The number of bytes waiting in this kernel: not sent, or not acknowledged.
    package var waiting: Int32
    /// How often this kernel has sent something again, or asked for room, since the peer's kernel last answered.
    package var unanswered: Int

    package init(acknowledged: UInt64, window: UInt32, waiting: Int32, unanswered: Int = 0) {
        self.acknowledged = acknowledged
        self.window = window
        self.waiting = waiting
        self.unanswered = unanswered
    }
}

extension Socket {
    /// As many unanswered attempts mean that the peer's machine is gone: a peer that only does not read answers each.
    private static let hopeless = 3

    /// Has ``close()`` drop what waits for a peer whose machine does not answer. The kernel would keep up to 4 MB for
    /// minutes, outside of the process's memory.
    package func giveUpIfUnanswered() {
        guard let progress, progress.unanswered >= Self.hopeless else { return }
        var atOnce = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &atOnce, socklen_t(MemoryLayout<linger>.size))
    }

    /// Offsets in Linux's `tcp_info`. The C library declares only its first members.
    private static let (acknowledgedPlace, windowPlace, infoSize) = (120, 228, 232)
    private static let (retransmitsPlace, probesPlace) = (2, 3)

    /// The progress, from two system calls. `nil` for sockets other than TCP, and for kernels before 5.4.
    package var progress: SocketProgress? {
        withUnsafeTemporaryAllocation(byteCount: Self.infoSize, alignment: 8) { info in
            var size = socklen_t(info.count)
            var waiting: CInt = 0
            guard getsockopt(descriptor, CInt(IPPROTO_TCP), TCP_INFO, info.baseAddress, &size) == 0,
                Int(size) == info.count, ioctl(descriptor, UInt(TIOCOUTQ), &waiting) == 0
            else { return nil }
            return SocketProgress(
                acknowledged: info.load(fromByteOffset: Self.acknowledgedPlace, as: UInt64.self),
                window: info.load(fromByteOffset: Self.windowPlace, as: UInt32.self),
                waiting: waiting,
                unanswered: Int(info[Self.retransmitsPlace]) + Int(info[Self.probesPlace])
            )
        }
    }
}
