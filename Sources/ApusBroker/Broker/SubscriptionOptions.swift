public import ApusProtocol

/// The bound on a subscription's lag, what happens beyond it, and what the subscription receives.
public struct SubscriptionOptions: Sendable, Equatable {
    /// How many messages the subscription may lag behind what its socket has accepted; at least 1.
    public var queue: Int
    public var overflow: OverflowPolicy
    /// How much detail its events contain.
    public var detail: EventEncoding.Detail
    /// Whether the subscription receives what its own connection publishes.
    public var echo: Bool
    /// Whether the subscription receives presence news.
    public var presence: Bool

    public init(
        queue: Int = 1000,
        overflow: OverflowPolicy = .dropOldest,
        detail: EventEncoding.Detail = .plain,
        echo: Bool = true,
        presence: Bool = false
    ) {
        precondition(queue >= 1, "a queue holds at least one message")
        self.queue = queue
        self.overflow = overflow
        self.detail = detail
        self.echo = echo
        self.presence = presence
    }
}

/// What a subscriber asks for.
public struct SubscribeRequest: Sendable {
    /// A topic's name, or a pattern.
    public var topic: String
    public var clientID: String
    public var start: ReplayStart
    /// `nil` for the topic's setting, or else the server's.
    public var queue: Int?
    /// `nil` for the topic's setting, or else the server's.
    public var overflow: OverflowPolicy?
    public var detail: EventEncoding.Detail
    public var echo: Bool
    public var presence: Bool
    /// Whether others are told when the subscription begins and ends.
    public var isAnnounced = true
    /// Whether to wait for a topic that does not exist, and again after the topic is deleted.
    public var waits = false
    /// Whether to create a topic that does not exist.
    public var makesTopic = false

    public init(
        topic: String,
        clientID: String,
        start: ReplayStart = .lastN(0),
        queue: Int? = nil,
        overflow: OverflowPolicy? = nil,
        detail: EventEncoding.Detail = .plain,
        echo: Bool = true,
        presence: Bool = false
    ) {
        self.topic = topic
        self.clientID = clientID
        self.start = start
        self.queue = queue
        self.overflow = overflow
        self.detail = detail
        self.echo = echo
        self.presence = presence
    }

    func options(settings: TopicSettings, defaults: SubscriptionOptions) -> SubscriptionOptions {
        SubscriptionOptions(
            queue: queue ?? settings.queue ?? defaults.queue,
            overflow: overflow ?? settings.overflow ?? defaults.overflow,
            detail: detail,
            echo: echo,
            presence: presence
        )
    }
}

/// Where a subscription begins.
public struct SubscribeReceipt: Sendable {
    /// The topic's name, or the pattern, as a quoted JSON string.
    public let topicJSON: [UInt8]
    public let epoch: String
    /// The last offset before the first event to come.
    public let offset: Offset
    /// Whether all messages after the requested position follow; `nil` if no position was requested.
    public let isRecovered: Bool?
    /// The messages after the requested position that are no longer kept.
    public let missed: ClosedRange<Offset>?
    /// Whether the topic does not exist yet. Epoch and offset then have no meaning.
    public var isWaiting = false
}
