import ApusSockets

/// Who is at the other end of a connection, or behind a request of a proxy's connection.
struct Caller: Sendable, Equatable {
    /// The client's address, as far as the server knows it: the socket's other end, or what a trusted proxy tells.
    var address: PeerAddress
    /// Whether the socket is a Unix socket, wherever the client of a proxy there may be.
    var isOnUnixSocket = false
    /// The common name of its TLS certificate, where clients must have one.
    var commonName: String?
    /// What it holds of the connections that its address may have; `nil` if it is not counted.
    var place: AddressBudget.Place?

    static let unknown = Caller(address: .unknown)

    /// What limits per client count by; `nil` for a client of a Unix socket of which no proxy tells the address.
    var network: IPAddress? { address.ip?.network }
}
