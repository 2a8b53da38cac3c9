import ApusSockets

/// An address that a server listens at: a host and port, or a Unix socket.
public enum ListenAddress: Sendable, Hashable, CustomStringConvertible {
    case tcp(host: String, port: Int)
    /// The path of the socket's file. A path that begins with `@` has no file (unix(7), abstract sockets).
    case unix(path: String)

    /// How many addresses a server may have.
    package static let maximumCount = 16

    /// Parses `127.0.0.1:8080`, `[::1]:8080`, either of them after `http://` as in the log, or `unix:/run/apus.sock`.
    ///
    /// Not after `https://`: the address does not turn TLS on, and somebody might believe so.
    public init?(_ text: String) {
        if text.hasPrefix("unix:") {
            var path = text.dropFirst("unix:".count)
            // Docker and gRPC write the path with two leading slashes.
            if path.hasPrefix("//") { path = path.dropFirst(2) }
            guard path.first == "/", path.last != "/", path.utf8.count <= Socket.maximumPathLength,
                !path.unicodeScalars.contains(where: PlainText.isUnsafe)
            else { return nil }
            self = .unix(path: String(path))
        } else {
            var authority = text.hasPrefix("http://") ? text.dropFirst("http://".count) : text[...]
            if authority.last == "/" { authority.removeLast() }
            guard let colon = authority.lastIndex(of: ":"),
                let port = try? ValueCodec<Int>.port.read(.text(String(authority[authority.index(after: colon)...]))),
                let host = try? ValueCodec<String>.host.read(.text(String(authority[..<colon])))
            else { return nil }
            // Without brackets, an IPv6 address cannot be separated from its port.
            guard authority.first == "[" || !host.contains(":") else { return nil }
            self = .tcp(host: host, port: port)
        }
    }

    /// The text form that ``init(_:)`` parses.
    public var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// The URL for a client on this machine: `http://127.0.0.1:8080` or `unix:/run/apus.sock`.
    ///
    /// - Parameter isSecure: whether the server speaks TLS, which it does at no Unix socket.
    public func url(isSecure: Bool = false) -> String {
        switch self {
        case .tcp: "http\(isSecure ? "s" : "")://\(self)"
        case .unix: description
        }
    }

    /// The port; `nil` for a Unix socket.
    public var port: Int? {
        if case .tcp(_, let port) = self { port } else { nil }
    }
}
