import Glibc

/// Where a server is, resolved once: a run connects thousands of times.
public struct LoadAddress: Sendable {
    /// The name or address as it was given.
    public let host: String
    public let port: Int
    /// A `sockaddr_in` or `sockaddr_in6`.
    private let bytes: [UInt8]

    /// Resolves a name or an address without brackets; throws `unreachable` where there is none.
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

    /// `AF_INET` or `AF_INET6`.
    var family: CInt {
        CInt(bytes.withUnsafeBytes { $0.loadUnaligned(as: sockaddr.self).sa_family })
    }

    /// Calls `body` with what `connect(2)` takes.
    func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var storage = sockaddr_storage()
        return withUnsafeMutableBytes(of: &storage) { room in
            room.copyBytes(from: bytes)
            let address = room.assumingMemoryBound(to: sockaddr.self)
            return body(UnsafePointer(address.baseAddress.unsafelyUnwrapped), socklen_t(bytes.count))
        }
    }

    /// The address without its port, in the order of the network: 4 or 16 bytes.
    var hostBytes: [UInt8] {
        family == AF_INET6 ? Array(bytes[8..<24]) : Array(bytes[4..<8])
    }

    /// Whether it is one of this machine's: only to such a one can a socket be bound.
    public var isLocal: Bool {
        let probe = socket(family, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { return false }
        defer { close(probe) }
        return withoutPort().withSocketAddress { bind(probe, $0, $1) == 0 }
    }

    /// Whether it is 127.0.0.0/8, of which every address can be the source of connections.
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
