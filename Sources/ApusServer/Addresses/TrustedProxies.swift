import ApusSockets

/// The proxies whose word about a client's address counts.
public struct TrustedProxies: Sendable, Equatable {
    /// The entry for proxies that connect through a Unix socket.
    private static let unix = "unix"
    /// How many addresses of an `X-Forwarded-For` are looked at. No chain of proxies is longer.
    static let maxHops = 64

    private var ranges: [AddressRange] = []
    private var includesUnixSockets = false

    /// Trusts nobody.
    public init() {}

    /// Trusts the given addresses (`10.0.0.1`, `fd00::1`), ranges (`10.0.0.0/8`, `fd00::/8`), and with `unix` all
    /// clients of Unix sockets. Returns `nil` if an entry is none of these.
    public init?(_ entries: [String]) {
        for entry in entries {
            if entry == Self.unix {
                includesUnixSockets = true
            } else {
                guard let range = AddressRange(entry) else { return nil }
                ranges.append(range)
            }
        }
    }

    /// What is trusted, in its shortest form.
    package var entries: [String] { ranges.map(\.description) + (includesUnixSockets ? [Self.unix] : []) }

    /// Whether the peer's word counts.
    func trusts(_ peer: PeerAddress) -> Bool {
        if peer.isUnix { return includesUnixSockets }
        guard !ranges.isEmpty, let address = peer.ip else { return false }
        return ranges.contains { $0.contains(address) }
    }

    /// The client's address: the last one in `X-Forwarded-For` that is not a trusted proxy's.
    ///
    /// Each proxy appends the address that it sees, so whatever is before that one may be made up. An entry that is no
    /// address ends the search: the proxy that wrote it is the best that is known.
    ///
    /// - Parameter forwardedFor: the values of all `X-Forwarded-For` fields, joined by commas.
    func client(of peer: PeerAddress, forwardedFor: String) -> PeerAddress {
        var client = peer
        var rest = forwardedFor.utf8[...]
        for _ in 0..<Self.maxHops {
            guard trusts(client) else { break }
            let comma = rest.lastIndex(of: UInt8(ascii: ","))
            let entry = comma.map { rest[rest.index(after: $0)...] } ?? rest
            guard let address = Self.address(Substring(entry)) else { break }
            client = PeerAddress(address, port: 0)
            guard let comma else { break }
            rest = rest[..<comma]
        }
        return client
    }

    /// An entry's address. Some proxies write a port behind it, which says nothing about the client here.
    private static func address(_ entry: Substring) -> IPAddress? {
        var text = entry
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { return nil }
            let (inside, behind) = (text[..<end].dropFirst(), text[end...].dropFirst())
            guard inside.contains(":"), behind.isEmpty || behind.first == ":" && isPort(behind.dropFirst()) else {
                return nil
            }
            return IPAddress(inside)
        }
        if let address = IPAddress(text) { return address }
        guard let colon = text.firstIndex(of: ":"), isPort(text[colon...].dropFirst()) else { return nil }
        return IPAddress(text[..<colon])
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } && UInt16(text) != nil
    }
}
