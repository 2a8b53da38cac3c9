import ApusProtocol
import ApusSockets

/// Which web pages may use the server, and under which names it answers.
///
/// Browsers name the page that sends a request in its `Origin` field. Pages of other sites are refused, since the user
/// who visits them may be able to reach a server that the site's owner cannot.
struct SitePolicy: Sendable, Equatable {
    /// Why a request is refused.
    enum Refusal: Error, Equatable {
        case foreignOrigin(String)
        case foreignHost(String)

        private static func which(_ origin: String) -> String {
            origin == "null" ? "without an origin, such as files," : "of \(PlainText.escaped(origin, limit: 200))"
        }

        var problem: Problem {
            switch self {
            case .foreignOrigin(let origin):
                Problem(
                    .forbiddenOrigin,
                    """
                    Pages \(Self.which(origin)) may not use this server; the setting allowed_origins lists those \
                    that may
                    """
                )
            case .foreignHost(let host):
                Problem(
                    .forbiddenHost,
                    """
                    This server listens only for its own machine and does not answer to the name \
                    \(PlainText.escaped(host, limit: 200)); the setting allowed_hosts lists further names
                    """
                )
            }
        }
    }

    let allowedOrigins: [AllowedOrigin]
    /// In lower case.
    let allowedHosts: Set<String>
    /// Whether the server listens only on loopback addresses.
    let isLocal: Bool

    /// Whether the server speaks TLS itself. Without, a proxy may have ended it.
    let isSecure: Bool

    /// What browsers say in `Sec-Fetch-Site` of requests from pages of other sites.
    static let anotherSite = "cross-site"

    /// Whether the setting is `*`.
    let allowsAll: Bool

    init(_ access: ServerConfiguration.Access, isLocal: Bool, isSecure: Bool = false) {
        allowedOrigins = access.allowedOrigins
        allowedHosts = Set(access.allowedHosts.map { $0.lowercased() })
        self.isLocal = isLocal
        self.isSecure = isSecure
        allowsAll = allowedOrigins.contains(.any)
    }

    // MARK: Host

    /// Whether the server answers to the name in a `Host` field.
    ///
    /// A page could let its own name resolve to `127.0.0.1` (DNS rebinding). Its requests then have no foreign origin,
    /// but they name the page's host.
    func answers(to host: String) -> Bool {
        guard isLocal else { return true }
        guard let authority = Authority(host) else { return false }
        return Self.isLoopback(authority.host) || allowedHosts.contains(authority.host)
    }

    private static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host.hasSuffix(".localhost") { return true }
        let address = host.hasPrefix("[") ? host.dropFirst().dropLast() : host[...]
        return IPAddress(address)?.isLoopback ?? false
    }

    // MARK: Origin

    /// Whether a page of that origin may do everything that the server's own pages may.
    ///
    /// - Parameters:
    ///   - origin: the `Origin` field.
    ///   - host: the `Host` field, which names the server's own origin.
    ///   - isLocalSocket: whether the client, perhaps a proxy, is connected to a Unix socket, which has no TLS.
    func admits(origin: String, host: String, isLocalSocket: Bool = false) -> Bool {
        if allowsAll { return true }
        guard let origin = WebOrigin(origin) else { return false }
        let mayBePlain = !isSecure || isLocalSocket
        if let own = Authority(host), origin.isServed(by: own), mayBePlain || origin.scheme == "https" { return true }
        if isLocal, ["http", "https"].contains(origin.scheme), Self.isLoopback(origin.host) { return true }
        return allowedOrigins.contains { $0.allows(origin) }
    }

    /// Checks a request before anything else is done for it.
    ///
    /// - Parameters:
    ///   - host: the `Host` field; `nil` for HTTP/1.0, which no browser speaks.
    ///   - site: the `Sec-Fetch-Site` field. Images, scripts and the like are asked for without an `Origin`, but not
    ///     without this.
    ///   - isReading: whether it is a GET or HEAD that is neither a handshake nor opens an event stream. A page of
    ///     another origin may send these: the browser does not let it read the answer, and they change nothing.
    ///   - isLocalSocket: whether the client is connected to a Unix socket, which no page can reach by a name.
    func check(
        host: String?,
        origin: String?,
        site: String? = nil,
        isReading: Bool,
        isLocalSocket: Bool
    ) throws(Refusal) {
        if let host, !isLocalSocket, !answers(to: host) { throw .foreignHost(host) }
        guard !isReading else { return }
        guard let origin else {
            guard site != Self.anotherSite || allowsAll else { throw .foreignOrigin("another site") }
            return
        }
        guard admits(origin: origin, host: host ?? "", isLocalSocket: isLocalSocket) else {
            throw .foreignOrigin(origin)
        }
    }
}
