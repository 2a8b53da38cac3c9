package import ApusClient

/// The settings of a verification.
package struct VerifySettings: Sendable {
    package var address: ServerAddress
    /// Other nodes of the same cluster. Publishers and subscribers move between all of them.
    package var others: [ServerAddress] = []
    let credential: Credential
    package var seed: UInt64
    /// How long to publish, in seconds.
    var duration: Double
    var subscribers: Int
    var publishers: Int
    var topics: Int
    /// Messages per second, of all publishers together.
    var rate: Double
    /// The transports to use; `nil` for all that the server supports.
    var transports: [VerifyTransport]?
    /// The seconds after which a subscriber's socket is closed.
    var dropEvery: ClosedRange<Double>
    var allowsDrops: Bool
    /// How long nothing may arrive at the end, in seconds, before missing messages count as lost.
    var patience = 15.0
    /// How long a node may take, in seconds, until it has the topics that were made on another one.
    var topicPatience = 30.0
    /// How the server is restarted while publishers publish; `nil` for a server that is left alone.
    var restarts: VerifyRestarts?

    package init(
        address: ServerAddress,
        others: [ServerAddress] = [],
        credential: Credential = Credential(),
        seed: UInt64,
        duration: Double,
        subscribers: Int,
        publishers: Int,
        topics: Int,
        rate: Double,
        transports: [VerifyTransport]? = nil,
        dropEvery: ClosedRange<Double>,
        allowsDrops: Bool = false,
        restarts: VerifyRestarts? = nil
    ) {
        self.address = address
        self.others = others
        self.credential = credential
        self.seed = seed
        self.duration = duration
        self.subscribers = subscribers
        self.publishers = publishers
        self.topics = topics
        self.rate = rate
        self.transports = transports
        self.dropEvery = dropEvery
        self.allowsDrops = allowsDrops
        self.restarts = restarts
    }

    /// How many messages each topic should keep: one minute of its share of the rate, between 20,000 and 100,000.
    var history: Int {
        min(100_000, max(20_000, Int(rate / Double(topics) * 60)))
    }

    /// How many messages each topic keeps. With restarts or several nodes it is the whole run, twice over, up to
    /// 1,000,000: at the end, everything is read again.
    var kept: Int {
        restarts == nil && others.isEmpty ? history : history + min(900_000, Int(rate / Double(topics) * duration * 2))
    }

    func topicName(_ index: Int) -> String {
        "apus-verify-\(seed)-\(index)"
    }

    /// The server, or all nodes of its cluster.
    var nodes: [ServerAddress] { [address] + others }

    /// How the server is named in a sentence.
    package var place: String { nodes.map { "\($0)" }.joined(separator: ", ") }
}

/// How a subscriber receives its events.
package enum VerifyTransport: String, CaseIterable, Sendable {
    case ws
    case v1
    case sse
    case poll
}
