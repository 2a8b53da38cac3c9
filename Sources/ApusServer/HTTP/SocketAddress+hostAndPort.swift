import NIOCore

extension SocketAddress {
    /// `127.0.0.1:50123` or `[::1]:50123`.
    var hostAndPort: String {
        guard let ipAddress, let port else { return description }
        return ipAddress.contains(":") ? "[\(ipAddress)]:\(port)" : "\(ipAddress):\(port)"
    }
}
