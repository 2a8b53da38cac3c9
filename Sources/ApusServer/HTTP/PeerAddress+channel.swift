import ApusSockets
import NIOCore

extension PeerAddress {
    /// The remote address of a channel.
    init(_ address: SocketAddress?) {
        switch address {
        case nil: self = .unknown
        case .unixDomainSocket?: self = .unix
        case .v4?, .v6?:
            let ip = address?.ipAddress.flatMap { IPAddress($0) }
            self = ip.map { PeerAddress($0, port: UInt16(clamping: address?.port ?? 0)) } ?? .unknown
        }
    }
}
