#if NATS
/// How a node reaches NATS, and what it keeps there.
package struct NATSSettings: Sendable {
    /// Whether every server has to write to its disk before it acknowledges (`sync_interval: always`).
    package enum Syncing: Sendable {
        /// Ask the servers, and refuse them if one does not or none says.
        case checked
        /// Somebody vouches for it: a client of an ordinary account cannot see it.
        case vouched
        /// It may be as it is. Then a power loss can take acknowledged messages.
        case unsafe
    }

    /// The servers to begin with; others of their cluster are learned from them.
    package var urls: [String]
    /// A file with a user's JWT and seed, as `nsc` writes it.
    package var credentials: String?
    /// A file with the certificates that vouch for the servers, in PEM. With it, every connection is over TLS.
    package var authorities: String?
    /// What the servers show as the connection's name.
    package var name = "apus"
    /// What the names of streams and subjects begin with.
    package var prefix = "apus"
    /// How many servers keep a copy of each stream: 1, 3 or 5.
    package var replicas = 3
    /// How many packs of one topic the streams keep at most.
    package var packsPerTopic = 100_000
    package var syncing = Syncing.checked
    /// The largest pack, headers counted, that the servers have to take.
    package var largestPack = 520 << 10

    package init(urls: [String]) {
        self.urls = urls
    }

    /// Limits that are the same for everybody.
    package enum Limit {
        /// Requests and publishes that wait for an answer; one more is answered `tooMany` at once.
        package static let outstanding = 16_384
        /// The same in bytes.
        package static let outstandingBytes = 256 << 20
        /// Events of one reader that were not taken; at one more the reader ends with `overflow`.
        package static let pendingEvents = 1 << 20
        /// The same in bytes. A server has at most 32 MiB under way to a reader that does not take anything.
        package static let pendingBytes = 64 << 20
        /// Servers that a connection remembers, those of the settings counted.
        package static let servers = 64
        /// Answers to one question that go to all servers.
        package static let answers = 256
    }
}
#endif
