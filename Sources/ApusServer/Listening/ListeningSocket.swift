package import ApusSockets

/// A socket that is bound and listens, but does not accept connections yet.
struct ListeningSocket: Sendable {
    let socket: Socket
    /// The actual address: with the port that the system chose, and the IP address instead of a host name.
    let address: ListenAddress
    /// The socket's file; `nil` if there is none, or if it belongs to the process that opened the socket.
    private let file: SocketFile?

    /// Opens all sockets of a configuration, or uses the sockets that systemd passed. All or none.
    ///
    /// - Throws: ``ListenFailure`` for the first socket that cannot be opened.
    static func open(
        _ configuration: ServerConfiguration,
        passed: [Socket]
    ) throws(ListenFailure) -> [ListeningSocket] {
        guard passed.isEmpty else { return passed.map { ListeningSocket(socket: $0) } }
        let addresses = configuration.listenAddresses
        var opened: [ListeningSocket] = []
        for address in addresses {
            do throws(SocketError) {
                opened.append(try open(address, of: addresses, mode: configuration.socketMode))
            } catch {
                for socket in opened {
                    socket.socket.close()
                    socket.removeFile()
                }
                throw ListenFailure(address: address, cause: error)
            }
        }
        return opened
    }

    private static func open(
        _ address: ListenAddress,
        of all: [ListenAddress],
        mode: Int
    ) throws(SocketError) -> ListeningSocket {
        switch address {
        case .unix(let path):
            let (socket, file) = try Socket.listening(atPath: path, mode: UInt32(mode))
            return ListeningSocket(socket: socket, file: file)
        case .tcp(let host, let port):
            // By default, this socket would accept IPv4 connections too, and the IPv4 socket could not be opened.
            let isIPv6Only = host == "::" && all.contains(.tcp(host: "0.0.0.0", port: port))
            return ListeningSocket(socket: try .listening(on: host, port: port, isIPv6Only: isIPv6Only))
        }
    }

    fileprivate init(socket: Socket, file: SocketFile? = nil) {
        self.socket = socket
        self.file = file
        if let path = socket.localPath {
            address = .unix(path: path)
        } else {
            let local = socket.localAddress
            address = .tcp(host: local.ipAddress, port: Int(local.port))
        }
    }

    /// Removes the file that would remain after the socket is closed.
    func removeFile() {
        file?.remove()
    }
}

/// An address at which the server could not listen.
public struct ListenFailure: Error, CustomStringConvertible {
    public let address: ListenAddress
    package let cause: SocketError

    public var description: String { "cannot listen on \(address): \(cause)" }
}

extension ServerConfiguration {
    /// The addresses to listen at: those of `listen`, or `host` and `port` if it is empty.
    package var listenAddresses: [ListenAddress] {
        listen.isEmpty ? [.tcp(host: host, port: port)] : listen
    }

    /// Whether the server listens at ports of this machine's own addresses, and at no others.
    ///
    /// - Parameter passed: the sockets that are served in place of the configured addresses, if there are any.
    func isLocal(passed: [Socket]) -> Bool {
        let addresses = passed.isEmpty ? listenAddresses : passed.map { ListeningSocket(socket: $0).address }
        let hosts = addresses.compactMap { address in
            if case .tcp(let host, _) = address { host } else { nil }
        }
        return !hosts.isEmpty
            && hosts.allSatisfy { $0.lowercased() == "localhost" || IPAddress($0)?.isLoopback == true }
    }
}
