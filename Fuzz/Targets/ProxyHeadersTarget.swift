@testable import ApusServer
@testable import ApusSockets

extension FuzzTarget {
    /// A byte that says which: the first bytes of a proxy's connection, or lines with trusted proxies, the address of a
    /// peer, and the value of `X-Forwarded-For`.
    static let proxyHeaders = FuzzTarget(name: "ProxyHeaders") {
        { bytes in
            var input = FuzzInput(bytes)
            if input.byte() % 2 == 0 {
                try ProxyHeadersCheck.checkHeader(input.rest)
            } else {
                let lines = input.texts(separatedBy: "\n")
                try ProxyHeadersCheck.checkList(
                    proxies: lines.part(0),
                    peer: lines.part(1),
                    forwardedFor: lines.dropFirst(2).joined(separator: "\n")
                )
            }
        }
    }
}

private enum ProxyHeadersCheck {
    // MARK: The PROXY protocol

    static func checkHeader(_ bytes: UnsafeRawBufferPointer) throws {
        let result = ProxyHeader.parse(bytes)
        let behind = Array(bytes) + [0x41, 0x0D, 0x0A]
        let longer = behind.withUnsafeBytes { ProxyHeader.parse($0) }
        switch result {
        case .header(let header):
            try require(0...bytes.count ~= header.size, "a header lies in its bytes")
            try require(longer == result, "what follows a header does not matter to it")
            try checkPrefixes(of: bytes, count: header.size)
            guard let client = header.client else { return }
            try require(client.ip != nil, "a client has an address")
            try checkText(of: client)
        case .incomplete:
            try require(bytes.count < ProxyHeader.maxSize, "what is waited for keeps its limit")
            try checkPrefixes(of: bytes, count: bytes.count)
        case .malformed:
            try require(longer == .malformed, "more bytes do not mend a header")
        }
    }

    private static func checkPrefixes(of bytes: UnsafeRawBufferPointer, count: Int) throws {
        for size in Set([0, 1, 6, 12, 16, count / 2, count - 2, count - 1]) where 0..<count ~= size {
            let result = ProxyHeader.parse(UnsafeRawBufferPointer(rebasing: bytes[..<size]))
            try require(result == .incomplete, "the beginning of a header may become one")
        }
    }

    private static func checkText(of client: PeerAddress) throws {
        guard let ip = client.ip else { return }
        try require(IPAddress("\(ip)") == ip, "an address is read again as itself")
        try require(PeerAddress(ip, port: client.port) == client, "an address and a port make a client")
        try require(client.ipAddress == "\(ip)", "an address has one text")
    }

    // MARK: X-Forwarded-For

    static func checkList(proxies: String, peer: String, forwardedFor: String) throws {
        let entries = proxies.split(separator: " ").map(String.init)
        for entry in entries { try checkRange(entry) }
        guard let trusted = TrustedProxies(entries) else { return }
        try require(TrustedProxies(trusted.entries)?.entries == trusted.entries, "ranges are read again as themselves")
        let peer = peer == "unix" ? PeerAddress.unix : IPAddress(peer).map { PeerAddress($0, port: 4711) } ?? .unknown
        let client = trusted.client(of: peer, forwardedFor: forwardedFor)
        guard trusted.trusts(peer) else {
            return try require(client == peer, "the word of a stranger does not count")
        }
        try require(client == peer || client.ip != nil, "a client is the peer, or an address of the list")
        if client != peer { try checkText(of: client) }
        // The search ended at a stranger, and who sent the request can have written only what is before that.
        guard !trusted.trusts(client) else { return }
        for made in ["6.6.6.6,", ",", "x, 10.0.0.1,", "\n,"] {
            try require(
                trusted.client(of: peer, forwardedFor: made + forwardedFor) == client,
                "what a client writes before the proxies' entries does not count"
            )
        }
    }

    private static func checkRange(_ text: String) throws {
        guard let range = AddressRange(text) else { return }
        try require(AddressRange(range.description) == range, "a range is read again as itself")
        try require(range.contains(range.base), "a range contains its base")
        if !text.contains("/"), let address = IPAddress(text) {
            try require(range.contains(address), "an address alone is a range")
        }
    }
}
