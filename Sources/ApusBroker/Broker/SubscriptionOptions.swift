public import ApusProtocol

/// The bound on a subscription's lag, and what happens beyond it.
public struct SubscriptionOptions: Sendable, Equatable {
    /// How many messages the subscription may lag behind what its socket has taken; at least 1.
    public var queue: Int
    public var overflow: OverflowPolicy
    /// How much its events tell.
    public var detail: EventEncoding.Detail
    /// Whether what its own connection publishes is delivered to it.
    public var echo: Bool
    /// Whether it is told of others' subscriptions.
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
    /// `nil`: the topic's, or else the server's.
    public var queue: Int?
    /// `nil`: the topic's, or else the server's.
    public var overflow: OverflowPolicy?
    public var detail: EventEncoding.Detail
    public var echo: Bool
    public var presence: Bool
    /// Whether others are told that it comes and goes.
    public var isAnnounced = true
    /// Whether it waits for its topic where that is not there, and again when it is gone.
    public var waits = false
    /// Whether its topic is made where it is not there.
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
    /// For who asked for what came after a position: whether that is all there.
    public let isRecovered: Bool?
    /// What came after the position and is no longer kept.
    public let missed: ClosedRange<Offset>?
    /// Whether there is no topic yet: then epoch and offset say nothing.
    public var isWaiting = false
}
