#if NATS
import ApusProtocol

/// The servers to choose from, the next one to try first.
struct ServerList {
    /// The longest wait between two attempts, once every server was tried.
    static let longestDelay = Duration.seconds(2)

    private var urls: [String]
    /// Attempts since the last connection.
    private var attempts = 0

    init(_ urls: [String]) {
        self.urls = Array(urls.prefix(NATSSettings.Limit.servers))
    }

    /// All of them, each once.
    func round() -> [String] { urls }

    /// The server to try now. It is the last to be tried again.
    mutating func next() -> String? {
        guard !urls.isEmpty else { return nil }
        let url = urls.removeFirst()
        urls.append(url)
        attempts += 1
        return url
    }

    /// How long to wait after an attempt that failed: not at all until all were tried, then longer each round.
    func delay() -> Duration {
        let rounds = urls.isEmpty ? 0 : attempts / urls.count
        guard rounds > 0 else { return .zero }
        let longest = min(Duration.milliseconds(100) * (1 << min(rounds, 8)), Self.longestDelay)
        return .milliseconds(Int64.random(in: longest.wholeMilliseconds / 2...longest.wholeMilliseconds))
    }

    /// A connection was made: its server is the last to be tried next time.
    mutating func connected(to url: String) {
        attempts = 0
        urls.removeAll { $0 == url }
        urls.append(url)
    }

    /// Remembers servers of a cluster, to be tried before those that are known.
    ///
    /// - Parameters:
    ///   - discovered: hosts and ports, with or without scheme.
    ///   - url: of a server that they are like: with its scheme, user and password.
    mutating func learn(_ discovered: [String], from url: String) {
        let scheme = url.firstRange(of: "://")?.upperBound ?? url.startIndex
        let host = url[scheme...].lastIndex(of: "@").map { url.index(after: $0) } ?? scheme
        let known = Set(urls.map(Self.address))
        for server in discovered.shuffled() {
            let address = Self.address(server)
            guard !known.contains(address), urls.count < NATSSettings.Limit.servers else { continue }
            urls.insert(url[..<host] + address, at: 0)
        }
    }

    /// The host and port of a URL.
    private static func address(_ url: String) -> String {
        let start = url.firstRange(of: "://")?.upperBound ?? url.startIndex
        let rest = url[start...]
        return String(rest.lastIndex(of: "@").map { rest[rest.index(after: $0)...] } ?? rest)
    }
}
#endif
