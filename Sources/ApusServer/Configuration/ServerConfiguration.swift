package import ApusAccess
public import Logging

/// All settings of a server, in groups. Every limit has its default here, and `docs/configuration.md` describes what
/// happens at the limit.
///
/// Connections, sessions, streams and routes read their settings from here. ``Setting/all`` says how each is written in
/// files, flags and the environment.
public struct ServerConfiguration: Sendable, Equatable {
    public var host = "127.0.0.1"
    /// The port to listen at; 0 means any free port.
    public var port = 8080
    /// The addresses to listen at. If empty, the server listens at ``host`` and ``port``.
    public var listen: [ListenAddress] = []
    /// The permissions of Unix sockets' files.
    public var socketMode = 0o660
    /// The prefix of all paths, without a slash at its end; empty means no prefix.
    public var basePath = ""
    /// The number of event loops; 0 means one per core.
    public var threads = 0
    /// Whether browsers get the console at the server's address.
    public var console = true
    public var log = Log()
    public var tls = TLS()
    public var access = Access()
    public var proxies = Proxies()
    public var storage = Storage()
    public var cluster = Cluster()
    public var topics = Topics()
    public var delivery = Delivery()
    public var compression = Compression()
    public var timeouts = Timeouts()
    public var limits = Limits()
    public var rates = Rates()
    public var tracing = Tracing()

    public init() {}

    /// What the log contains, and its form.
    public struct Log: Sendable, Equatable {
        public enum Format: String, Sendable, CaseIterable {
            case text
            case json
        }

        public var level = Logger.Level.info
        public var format = Format.text
    }

    /// How clients' tokens are verified (JSON Web Tokens, RFC 7519).
    public struct Tokens: Sendable, Equatable {
        /// The keys as a JSON list of `{kid, file | secret, alg}`.
        public var keys = "[]"
        /// A file with a JWK set (RFC 7517); empty means none.
        public var jwksFile = ""
        /// The address of a JWK set; empty means none.
        public var jwksURL = ""
        /// What `iss` must be; empty means anything.
        public var issuer = ""
        /// `aud` must contain one of these; empty means anything.
        public var audience: [String] = []
        /// The claim with the rights.
        public var claim = "apus"

        /// Whether there is something to verify tokens with.
        var isOn: Bool { keys != "[]" || !jwksFile.isEmpty || !jwksURL.isEmpty }
    }

    /// Who may use the server.
    public struct Access: Sendable, Equatable {
        /// API keys that may do everything. Without any keys, tokens and anonymous rights, everybody has access.
        public var apiKeys: [String] = []
        /// API keys with rights.
        package var keys: [APIKey] = []
        /// A file with further API keys with rights; empty means none.
        public var keysFile = ""
        /// What clients without a credential may do; `nil` if they need one.
        package var anonymous: RuleList?
        public var tokens = Tokens()
        /// How much the clocks of the server and of a token's issuer may differ.
        public var tokenLeeway = Duration.seconds(30)
        /// The longest time until a token may expire; 0 means any.
        public var tokenMaxAge = Duration.zero
        /// How long a client stays after its credential has expired, so that it can renew it.
        public var tokenGrace = Duration.seconds(25)
        /// How long fetched keys are used before they are fetched again.
        public var jwksTTL = Duration.seconds(3600)
        /// The web pages that may use the server besides its own. A server that listens only on loopback also admits
        /// pages from its machine.
        public var allowedOrigins: [AllowedOrigin] = []
        /// The names that a server answers to, besides those of its machine, if it listens only on loopback.
        public var allowedHosts: [String] = []
    }
}
