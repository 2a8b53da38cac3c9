public import ApusSockets

/// A socket that is bound and listens, before anybody is accepted.
struct ListeningSocket: Sendable {
    let socket: Socket
    /// Where it really listens: with the port that was chosen, and the number in place of a name.
    let address: ListenAddress
    /// The file that goes with it; nil where there is none, or where it belongs to whoever opened the socket.
    private let file: SocketFile?

    /// Opens all sockets of a configuration, or takes those that systemd has passed. All or none.
    ///
    /// - Throws: ``ListenFailure`` for the first that cannot be opened.
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
            // By itself it takes IPv4's connections as well, and then the other could not be opened.
            let isIPv6Only = host == "::" && all.contains(.tcp(host: "0.0.0.0", port: port))
            return ListeningSocket(socket: try .listening(on: host, port: port, isIPv6Only: isIPv6Only))
        }
    }

    private init(socket: Socket, file: SocketFile? = nil) {
        self.socket = socket
        self.file = file
        if let path = socket.localPath {
            address = .unix(path: path)
        } else {
            let local = socket.localAddress
            address = .tcp(host: local.ipAddress, port: Int(local.port))
        }
    }

    /// Removes what would be left of it when it is closed.
    func removeFile() {
        file?.remove()
    }
}

/// A place at which the server could not listen.
public struct ListenFailure: Error, CustomStringConvertible {
    public let address: ListenAddress
    public let cause: SocketError

    public var description: String { "cannot listen on \(address): \(cause)" }
}

extension ServerConfiguration {
    /// Where to listen: at the addresses of `listen`, or else at `host` and `port`.
    public var listenAddresses: [ListenAddress] {
        listen.isEmpty ? [.tcp(host: host, port: port)] : listen
    }
}
