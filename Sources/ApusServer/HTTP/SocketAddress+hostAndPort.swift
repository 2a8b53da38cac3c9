import NIOCore

extension SocketAddress {
    var isUnixSocket: Bool { hostAndPort == "unix" }

    /// `127.0.0.1:50123`, `[::1]:50123` or `unix`.
    var hostAndPort: String {
        guard let ipAddress, let port else { return "unix" }
        return ipAddress.contains(":") ? "[\(ipAddress)]:\(port)" : "\(ipAddress):\(port)"
    }
}
