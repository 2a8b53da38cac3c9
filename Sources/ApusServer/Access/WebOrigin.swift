/// The origin of a web page: a scheme, a host and perhaps a port (RFC 6454 section 6.2).
struct WebOrigin: Hashable, Sendable, CustomStringConvertible {
    /// In lower case.
    let scheme: String
    /// A name in lower case, or an IP address in brackets if it is IPv6.
    let host: String
    /// `nil` for the scheme's own port.
    let port: Int?

    /// Parses an `Origin` field. `nil` for `null` and for everything else that is not an origin.
    init?(_ text: some StringProtocol) {
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else { return nil }
        let scheme = text[..<colon].lowercased()
        guard let first = scheme.utf8.first, (0x61...0x7A).contains(first),
            scheme.utf8.allSatisfy(Self.isSchemeByte),
            let authority = Authority(text[colon...].dropFirst("://".count))
        else { return nil }
        self.scheme = scheme
        host = authority.host
        port = authority.port.flatMap { $0 == Self.defaultPort(of: scheme) ? nil : $0 }
    }

    var description: String { "\(scheme)://\(host)" + (port.map { ":\($0)" } ?? "") }

    /// Whether this is the origin of pages that a server with this authority serves.
    ///
    /// Of either scheme: a proxy may have ended TLS, so a server without TLS does not know how the page was loaded.
    func isServed(by authority: Authority) -> Bool {
        guard host == authority.host else { return false }
        let ownPort = Self.defaultPort(of: scheme)
        return (port ?? ownPort) == (authority.port ?? ownPort)
    }

    private static func isSchemeByte(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || "+-.".utf8.contains(byte)
    }

    private static func defaultPort(of scheme: String) -> Int? {
        switch scheme {
        case "http", "ws": 80
        case "https", "wss": 443
        default: nil
        }
    }
}

/// A host and perhaps a port, as in a `Host` field (RFC 9110 section 7.2).
struct Authority: Equatable, Sendable {
    /// A name in lower case, without a dot at its end, or an IP address in brackets if it is IPv6.
    let host: String
    let port: Int?

    init?(_ text: some StringProtocol) {
        guard HostField.isValid(text) else { return nil }
        let end = text.hasPrefix("[") ? text.firstIndex(of: "]").map(text.index(after:)) : text.firstIndex(of: ":")
        var host = text[..<(end ?? text.endIndex)].lowercased()
        // The name as seen from the root (RFC 1034 section 3.1). Without this, it would be another name.
        if host.hasSuffix("."), host.count > 1 { host.removeLast() }
        self.host = host
        let port = end.map { text[$0...].dropFirst() } ?? ""
        if port.isEmpty {
            self.port = nil
        } else {
            guard let number = Int(port), number <= 65535 else { return nil }
            self.port = number
        }
    }
}
