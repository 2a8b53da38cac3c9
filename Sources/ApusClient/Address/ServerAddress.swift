/// Where a server is and which dialect to speak with it.
///
/// Written `http|https|ws|wss://host[:port][/v1]`. `ws` means the same as `http`, `wss` the same as `https`: the
/// REST base and the WebSocket URL follow from either. A `/ws` at the end is taken too, since that is what people
/// have at hand.
public struct ServerAddress: Sendable, Hashable {
    /// The two forms of the contract's endpoints and messages.
    public enum Dialect: Sendable, Hashable {
        /// `/ws`, `/topics`, …; messages carry `ts`.
        case base
        /// `/v1/ws`, `/v1/topics`, …; messages carry `timestamp`.
        case v1
    }

    /// A name, an IPv4 address, or an IPv6 address without brackets.
    public let host: String
    /// The TCP port.
    public let port: Int
    /// Whether TLS is used.
    public let isSecure: Bool
    /// Which form of the endpoints and messages is spoken.
    public let dialect: Dialect

    /// Makes an address of its parts.
    public init(host: String, port: Int, isSecure: Bool = false, dialect: Dialect = .base) {
        self.host = host
        self.port = port
        self.isSecure = isSecure
        self.dialect = dialect
    }

    /// Parses an address.
    ///
    /// Throws `badAddress` with a message that quotes `text` and says what is wrong with it.
    public init(_ text: String) throws(ClientError) {
        func bad(_ why: String) -> ClientError {
            ClientError(.badAddress, "'\(text)' is not a server address: \(why)")
        }
        guard let schemeEnd = text.firstRange(of: "://") else {
            throw bad("it needs a scheme, as in http://127.0.0.1:8080")
        }
        let isSecure: Bool
        switch text[..<schemeEnd.lowerBound].lowercased() {
        case "http", "ws": isSecure = false
        case "https", "wss": isSecure = true
        default: throw bad("the scheme must be http, https, ws or wss")
        }
        let rest = text[schemeEnd.upperBound...]
        guard !rest.contains(where: { $0 == "?" || $0 == "#" || $0 == "@" || $0.isWhitespace }) else {
            throw bad("only a host, a port and a path may follow the scheme")
        }
        let pathStart = rest.firstIndex(of: "/") ?? rest.endIndex
        guard let dialect = Self.dialect(path: rest[pathStart...]) else {
            throw bad("the path must be empty or /v1")
        }
        guard let (host, port) = Self.hostAndPort(rest[..<pathStart], defaultPort: isSecure ? 443 : 80) else {
            throw bad("after the scheme comes HOST or HOST:PORT, with a port from 1 to 65535")
        }
        self.init(host: host, port: port, isSecure: isSecure, dialect: dialect)
    }

    private static func dialect(path: Substring) -> Dialect? {
        switch path.split(separator: "/") {
        case [], ["ws"]: .base
        case ["v1"], ["v1", "ws"]: .v1
        default: nil
        }
    }

    private static func hostAndPort(_ authority: Substring, defaultPort: Int) -> (host: String, port: Int)? {
        let host: Substring
        let after: Substring
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = authority[authority.index(after: authority.startIndex)..<end]
            after = authority[authority.index(after: end)...]
            guard host.contains(":") else { return nil }
        } else {
            let end = authority.firstIndex(of: ":") ?? authority.endIndex
            host = authority[..<end]
            after = authority[end...]
        }
        guard !host.isEmpty, host.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F }) else { return nil }
        if after.isEmpty { return (String(host), defaultPort) }
        let digits = after.dropFirst()
        guard after.first == ":", !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) }),
            let port = Int(digits), (1...65535).contains(port)
        else { return nil }
        return (String(host), port)
    }
}

extension ServerAddress: CustomStringConvertible {
    /// `host:port`, with brackets around an IPv6 address.
    public var authority: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// What the paths of all endpoints start with: empty or `/v1`.
    public var pathPrefix: String {
        dialect == .v1 ? "/v1" : ""
    }

    /// The URL that REST paths such as `/topics` are appended to.
    public var restBase: String {
        "\(isSecure ? "https" : "http")://\(authority)\(pathPrefix)"
    }

    /// The path of the WebSocket endpoint.
    public var webSocketPath: String {
        pathPrefix + "/ws"
    }

    /// The URL of the WebSocket endpoint.
    public var webSocketURL: String {
        "\(isSecure ? "wss" : "ws")://\(authority)\(webSocketPath)"
    }

    public var description: String { restBase }
}
