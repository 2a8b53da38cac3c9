import CEpoll
import Glibc

/// Wakes a thread that waits at a poller: an eventfd(2), whose every ring is an event of its own.
///
/// Nobody reads what it counts: it is asked about edge-triggered, so that waking takes one system call and being woken
/// none.
struct Alarm: Sendable {
    private let descriptor: CInt

    init() throws(SocketError) {
        descriptor = eventfd(0, CInt(EFD_CLOEXEC) | CInt(EFD_NONBLOCK))
        guard descriptor >= 0 else { throw SocketError("eventfd") }
    }

    /// Has the poller return now, or as soon as it waits.
    func ring() {
        // Fails only when it counts 2^64 - 2 rings.
        _ = eventfd_write(descriptor, 1)
    }

    func register(with poller: Poller) -> Poller.ID? {
        // Of a fresh descriptor, which is registered nowhere else, this does not fail.
        try? poller.add(Socket(descriptor: descriptor), for: [.readable, .edgeTriggered], target: Ear())
    }

    func remove(_ id: Poller.ID, from poller: Poller) {
        poller.remove(id, of: Socket(descriptor: descriptor))
    }

    func close() {
        Glibc.close(descriptor)
    }

    /// There is nothing to do but to be awake.
    private final class Ear: PollTarget {
        func socketIsReady(_ events: PollEvents) {}
    }
}
