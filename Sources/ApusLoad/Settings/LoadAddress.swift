import ApusSockets
import Glibc

/// A server's address, resolved once, because a run connects thousands of times.
public struct LoadAddress: Sendable {
    /// The name or address as given; the path of a Unix socket.
    public let host: String
    /// The port; 0 for a Unix socket.
    public let port: Int
    /// A `sockaddr_in`, `sockaddr_in6` or `sockaddr_un`.
    private let bytes: [UInt8]

    /// Resolves a name, or an address without brackets.
    ///
    /// - Throws: ``LoadFailure`` `.unreachable` when it cannot be resolved.
    public init(host: String, port: Int) throws(LoadFailure) {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        defer { if let list { freeaddrinfo(list) } }
        guard code == 0, let entry = list, let address = entry.pointee.ai_addr else {
            throw LoadFailure(.unreachable, "cannot resolve \(host): \(String(cString: gai_strerror(code)))")
        }
        self.host = host
        self.port = port
        bytes = Array(UnsafeRawBufferPointer(start: address, count: Int(entry.pointee.ai_addrlen)))
    }

    /// The address of a Unix socket with this path.
    ///
    /// - Throws: ``LoadFailure`` `.unreachable` when the path is not usable.
    public init(unixSocket path: String) throws(LoadFailure) {
        do {
            bytes = try Socket.withUnixAddress(path) { address, size throws(SocketError) in
                Array(UnsafeRawBufferPointer(start: address, count: Int(size)))
            }
        } catch {
            throw LoadFailure(.unreachable, "'\(path)' is no path of a socket")
        }
        host = path
        port = 0
    }

    /// `127.0.0.1:8080`, `127.0.0.1:8443 with TLS` or `unix:/run/apus.sock`.
    func text(tls: Bool) -> String { isUnix ? "unix:\(host)" : "\(host):\(port)\(tls ? " with TLS" : "")" }

    /// Whether this is a Unix socket.
    public var isUnix: Bool { family == AF_UNIX }

    /// `AF_INET`, `AF_INET6` or `AF_UNIX`.
    var family: CInt {
        CInt(bytes.withUnsafeBytes { $0.loadUnaligned(as: sockaddr.self).sa_family })
    }

    /// Calls `body` with the arguments for `connect(2)`.
    func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var storage = sockaddr_storage()
        return withUnsafeMutableBytes(of: &storage) { room in
            room.copyBytes(from: bytes)
            let address = room.assumingMemoryBound(to: sockaddr.self)
            return body(UnsafePointer(address.baseAddress.unsafelyUnwrapped), socklen_t(bytes.count))
        }
    }

    /// The IP address in network byte order: 4 or 16 bytes. Meaningless for a Unix socket.
    var hostBytes: [UInt8] {
        family == AF_INET6 ? Array(bytes[8..<24]) : Array(bytes[4..<8])
    }

    /// Whether the address belongs to this machine: a socket can be bound only to such an address.
    public var isLocal: Bool {
        if isUnix { return true }
        let probe = socket(family, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { return false }
        defer { close(probe) }
        return withoutPort().withSocketAddress { bind(probe, $0, $1) == 0 }
    }

    /// Whether the address is in 127.0.0.0/8, where every address can be the source of connections.
    var isIPv4Loopback: Bool { family == AF_INET && hostBytes.first == 127 }

    private init(host: String, port: Int, bytes: [UInt8]) {
        self.host = host
        self.port = port
        self.bytes = bytes
    }

    private func withoutPort() -> LoadAddress {
        var bytes = bytes
        bytes[2] = 0
        bytes[3] = 0
        return LoadAddress(host: host, port: 0, bytes: bytes)
    }
}
