// With its cases, for those who import only `ApusClient`.
@_exported public import enum ApusProtocol.Dialect

/// A server's address, and the dialect to use with it.
///
/// The text form is `http|https|ws|wss://host[:port][/apus][/v1]`, or `unix:/run/apus.sock[:/apus][/v1]` for a Unix
/// socket. `ws` means the same as `http`, and `wss` the same as `https`: both lead to the REST base and to the
/// WebSocket URL. A trailing `/ws` is also accepted, because users often have that URL at hand.
public struct ServerAddress: Sendable, Hashable {
    /// The two forms of the contract's endpoints and messages.
    public typealias Dialect = ApusProtocol.Dialect

    /// A name, an IPv4 address, or an IPv6 address without brackets; `localhost` for a Unix socket.
    public let host: String
    /// The TCP port; 0 for a Unix socket.
    public let port: Int
    /// Whether TLS is used.
    public let isSecure: Bool
    /// The path of a Unix socket's file; `nil` for TCP.
    public let unixSocket: String?
    /// The prefix of all the server's paths, without a slash at its end; may be empty.
    public let basePath: String
    /// The dialect of endpoints and messages.
    public let dialect: Dialect
    /// How client and server prove who they are where TLS is used. Not part of the text form.
    public var tls = ClientTLS()

    /// The longest path of a Unix socket, in bytes.
    private static let maximumPathLength = 103

    /// Creates a TCP address.
    public init(host: String, port: Int, isSecure: Bool = false, basePath: String = "", dialect: Dialect = .base) {
        self.host = host
        self.port = port
        self.isSecure = isSecure
        self.unixSocket = nil
        self.basePath = basePath
        self.dialect = dialect
    }

    /// Creates the address of a Unix socket.
    public init(unixSocket: String, basePath: String = "", dialect: Dialect = .base) {
        self.host = "localhost"
        self.port = 0
        self.isSecure = false
        self.unixSocket = unixSocket
        self.basePath = basePath
        self.dialect = dialect
    }

    /// The same server with another dialect.
    public func speaking(_ dialect: Dialect) -> ServerAddress {
        if let unixSocket { return ServerAddress(unixSocket: unixSocket, basePath: basePath, dialect: dialect) }
        var address = ServerAddress(host: host, port: port, isSecure: isSecure, basePath: basePath, dialect: dialect)
        address.tls = tls
        return address
    }

    /// Parses an address.
    ///
    /// Throws `badAddress` with a message that quotes `text` and says what is wrong with it.
    public init(_ text: String) throws(ClientError) {
        func bad(_ why: String) -> ClientError {
            ClientError(.badAddress, "'\(text)' is not a server address: \(why)")
        }
        func path(_ path: Substring) throws(ClientError) -> (basePath: String, dialect: Dialect) {
            guard let parts = Self.parts(ofPath: path) else {
                throw bad("its path must be one such as /v1, /apus or /apus/v1")
            }
            return parts
        }
        if text.hasPrefix("unix:") {
            guard let (file, rest) = Self.fileAndPath(text.dropFirst("unix:".count)) else {
                throw bad(
                    "after unix: comes the path of a socket, and maybe a colon and what the server has before its paths"
                )
            }
            let (basePath, dialect) = try path(rest)
            self.init(unixSocket: file, basePath: basePath, dialect: dialect)
            return
        }
        guard let schemeEnd = text.firstRange(of: "://") else {
            throw bad("it needs a scheme, as in http://127.0.0.1:8080")
        }
        let isSecure: Bool
        switch text[..<schemeEnd.lowerBound].lowercased() {
        case "http", "ws": isSecure = false
        case "https", "wss": isSecure = true
        default: throw bad("the scheme must be http, https, ws or wss, or unix: with the path of a socket")
        }
        let rest = text[schemeEnd.upperBound...]
        guard !rest.contains(where: { $0 == "?" || $0 == "#" || $0 == "@" || $0.isWhitespace }) else {
            throw bad("only a host, a port and a path may follow the scheme")
        }
        let pathStart = rest.firstIndex(of: "/") ?? rest.endIndex
        let (basePath, dialect) = try path(rest[pathStart...])
        guard let (host, port) = Self.hostAndPort(rest[..<pathStart], defaultPort: isSecure ? 443 : 80) else {
            throw bad("after the scheme comes HOST or HOST:PORT, with a port from 1 to 65535")
        }
        self.init(host: host, port: port, isSecure: isSecure, basePath: basePath, dialect: dialect)
    }

    /// Splits a path: `/apus/v1/ws` is the v1 dialect of a server below `/apus`.
    private static func parts(ofPath path: Substring) -> (basePath: String, dialect: Dialect)? {
        var segments = path.split(separator: "/")
        if segments.last == "ws" { segments.removeLast() }
        var dialect = Dialect.base
        if segments.last == "v1" {
            segments.removeLast()
            dialect = .v1
        }
        let isPlain = segments.allSatisfy { segment in
            segment != "." && segment != ".." && segment.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        }
        return isPlain ? (segments.map { "/\($0)" }.joined(), dialect) : nil
    }

    /// Splits `/run/apus.sock` or `/run/apus.sock:/apus/v1`, with or without two leading slashes, into file and path.
    private static func fileAndPath(_ text: Substring) -> (file: String, path: Substring)? {
        let text = text.hasPrefix("//") ? text.dropFirst(2) : text
        let end = text.firstRange(of: ":/")
        let file = end.map { text[..<$0.lowerBound] } ?? text
        guard file.first == "/", file.last != "/", file.utf8.count <= maximumPathLength,
            file.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
        else { return nil }
        return (String(file), end.map { text[text.index(after: $0.lowerBound)...] } ?? "")
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
    /// `host:port`, with brackets around an IPv6 address; `unix:/run/apus.sock` for a Unix socket.
    public var authority: String {
        if let unixSocket { return "unix:\(unixSocket)" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// The value of a request's `Host` header.
    public var hostHeader: String {
        unixSocket == nil ? authority : host
    }

    /// The prefix of all endpoints: the server's own prefix, and `/v1` in that dialect.
    public var pathPrefix: String {
        dialect == .v1 ? basePath + "/v1" : basePath
    }

    /// The URL that REST paths such as `/topics` are appended to. For a Unix socket, in the form of AsyncHTTPClient.
    public var restBase: String {
        if let unixSocket { return "http+unix://\(RESTClient.percentEncoded(unixSocket))\(pathPrefix)" }
        return "\(isSecure ? "https" : "http")://\(authority)\(pathPrefix)"
    }

    /// The path of the WebSocket endpoint.
    public var webSocketPath: String {
        pathPrefix + "/ws"
    }

    /// The URL of the WebSocket endpoint. For a Unix socket, its address in the form that ``init(_:)`` parses.
    public var webSocketURL: String {
        if unixSocket != nil { return "\(authority):\(webSocketPath)" }
        return "\(isSecure ? "wss" : "ws")://\(authority)\(webSocketPath)"
    }

    /// The address in the form that ``init(_:)`` parses.
    public var description: String {
        if unixSocket != nil { return pathPrefix.isEmpty ? authority : "\(authority):\(pathPrefix)" }
        return restBase
    }
}
