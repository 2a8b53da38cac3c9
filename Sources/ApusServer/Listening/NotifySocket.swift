import ApusSockets
import Glibc

/// The socket that tells a service manager the server's state, one datagram per state (sd_notify(3)).
struct NotifySocket: Sendable {
    /// The value of `NOTIFY_SOCKET`: a path, or `@` and the name of an abstract socket.
    private let name: String

    /// Returns `nil` for any other kind of address, such as `vsock:…`: those are for virtual machines and containers.
    init?(_ name: String) {
        guard name.hasPrefix("/") || name.hasPrefix("@"),
            (2...MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1).contains(name.utf8.count)
        else { return nil }
        self.name = name
    }

    /// Sends a state if that is possible at once: a service manager that does not listen must not block the server.
    ///
    /// - Returns: whether the state was sent.
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
        // In an abstract name every byte counts, including trailing zeros.
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
