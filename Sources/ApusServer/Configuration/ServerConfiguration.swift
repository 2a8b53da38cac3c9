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
    public var log = Log()
    public var access = Access()
    public var topics = Topics()
    public var delivery = Delivery()
    public var compression = Compression()
    public var timeouts = Timeouts()
    public var limits = Limits()

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

    /// Who may use the server.
    public struct Access: Sendable, Equatable {
        /// The API keys that clients may use. If empty, everybody has access.
        public var apiKeys: [String] = []
        /// The web pages that may use the server besides its own. A server that listens only on loopback also admits
        /// pages from its machine.
        public var allowedOrigins: [AllowedOrigin] = []
        /// The names that a server answers to, besides those of its machine, if it listens only on loopback.
        public var allowedHosts: [String] = []
    }
}
