import CEpoll
import Glibc

/// Wakes a thread that waits at a poller. An eventfd(2) in which every ring is a separate event.
///
/// Nobody reads the counter. The poller watches it edge-triggered, so that waking takes one system call, and being
/// woken takes none.
struct Alarm: Sendable {
    private let descriptor: CInt

    init() throws(SocketError) {
        descriptor = eventfd(0, CInt(EFD_CLOEXEC) | CInt(EFD_NONBLOCK))
        guard descriptor >= 0 else { throw SocketError("eventfd") }
    }

    /// Makes the poller return now, or as soon as it waits.
    func ring() {
        // Fails only when the counter has reached 2^64 - 2.
        _ = eventfd_write(descriptor, 1)
    }

    func register(with poller: Poller) -> Poller.ID? {
        // This does not fail for a fresh descriptor that is registered nowhere else.
        try? poller.add(Socket(descriptor: descriptor), for: [.readable, .edgeTriggered], target: Ear())
    }

    func remove(_ id: Poller.ID, from poller: Poller) {
        poller.remove(id, of: Socket(descriptor: descriptor))
    }

    func close() {
        Glibc.close(descriptor)
    }

    /// Does nothing: it is enough to be awake.
    private final class Ear: PollTarget {
        func socketIsReady(_ events: PollEvents) {}
    }
}
