import Glibc

/// A TCP address in as little memory as possible, because there is one for each connection.
///
/// Its description is `127.0.0.1:50123` or `[::1]:50123`; without a known port, `127.0.0.1` or `::1`; `unix` for a Unix
/// socket, whose clients have no address; empty for anything else.
package struct PeerAddress: Sendable, Equatable, CustomStringConvertible {
    private enum Host {
        case none
        case four(in_addr)
        case six(in6_addr)
        case unix
    }

    private let host: Host
    /// The port; 0 if it is not known, as of a client that a proxy tells of.
    package let port: UInt16

    /// No address.
    package static let unknown = PeerAddress(host: .none, port: 0)
    /// The other end of a Unix socket.
    package static let unix = PeerAddress(host: .unix, port: 0)

    private init(host: Host, port: UInt16) {
        self.host = host
        self.port = port
    }

    package init(_ address: IPAddress, port: UInt16) {
        let (four, six) = address.systemAddress
        self.init(host: four.map(Host.four) ?? .six(six), port: port)
    }

    init(_ storage: sockaddr_storage) {
        self = withUnsafeBytes(of: storage) { bytes in
            switch CInt(storage.ss_family) {
            case AF_INET:
                let address = bytes.loadUnaligned(as: sockaddr_in.self)
                return PeerAddress(host: .four(address.sin_addr), port: UInt16(bigEndian: address.sin_port))
            case AF_INET6:
                let address = bytes.loadUnaligned(as: sockaddr_in6.self)
                return PeerAddress(host: .six(address.sin6_addr), port: UInt16(bigEndian: address.sin6_port))
            case AF_UNIX:
                return .unix
            default:
                return .unknown
            }
        }
    }

    package static func == (one: PeerAddress, other: PeerAddress) -> Bool {
        one.ip == other.ip && one.port == other.port && one.isUnix == other.isUnix
    }

    package var description: String {
        switch host {
        case .four where port == 0, .six where port == 0: ipAddress
        case .none: ""
        case .four(var address): "\(Self.text(AF_INET, &address)):\(port)"
        case .six(var address): "[\(Self.text(AF_INET6, &address))]:\(port)"
        case .unix: "unix"
        }
    }

    /// Whether this is the address of a Unix socket.
    package var isUnix: Bool {
        if case .unix = host { true } else { false }
    }

    /// The IP address; `nil` for anything else.
    package var ip: IPAddress? {
        switch host {
        case .none, .unix: nil
        case .four(let address): IPAddress(address)
        case .six(let address): IPAddress(address)
        }
    }

    /// The IP address, without port and brackets; empty for anything else.
    package var ipAddress: String {
        switch host {
        case .none, .unix: ""
        case .four(var address): Self.text(AF_INET, &address)
        case .six(var address): Self.text(AF_INET6, &address)
        }
    }

    private static func text(_ family: CInt, _ address: UnsafeRawPointer) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { space in
            guard let base = space.baseAddress,
                let text = inet_ntop(family, address, base, socklen_t(INET6_ADDRSTRLEN))
            else { return "" }
            return String(cString: text)
        }
    }
}
