import ApusSockets
import Glibc

/// The socket at which a service manager is told of the server's state, a datagram each time (sd_notify(3)).
struct NotifySocket: Sendable {
    /// As `NOTIFY_SOCKET` has it: a path, or the name of an abstract socket behind `@`.
    private let name: String

    /// What else than a path or an abstract name there is, such as `vsock:…`, is for virtual machines and containers as
    /// a whole.
    init?(_ name: String) {
        guard name.hasPrefix("/") || name.hasPrefix("@"),
            (2...MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1).contains(name.utf8.count)
        else { return nil }
        self.name = name
    }

    /// Tells it, if it can be told at once: one that does not listen must not hold up the server.
    ///
    /// - Returns: whether it was told.
    @discardableResult
    func send(_ state: String) -> Bool {
        let descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(name.utf8)
        if name.hasPrefix("@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        // Of an abstract name every byte counts, also zeros behind it.
        let size = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let message = Array(state.utf8)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                sendto(descriptor, message, message.count, CInt(MSG_NOSIGNAL | MSG_DONTWAIT), address, size)
                    == message.count
            }
        }
    }
}
