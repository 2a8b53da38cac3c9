package import ApusProtocol

/// The bound on a subscription's lag, what happens beyond it, and what the subscription receives.
package struct SubscriptionOptions: Sendable, Equatable {
    /// How many messages the subscription may lag behind what its socket has accepted; at least 1.
    package var queue: Int
    package var overflow: OverflowPolicy
    /// How much detail its events contain.
    package var detail: EventEncoding.Detail
    /// Whether the subscription receives what its own connection publishes.
    package var echo: Bool
    /// Whether the subscription receives presence news.
    package var presence: Bool
    /// Whether events contain trace contexts.
    package var traces: Bool

    package init(
        queue: Int = 1000,
        overflow: OverflowPolicy = .dropOldest,
        detail: EventEncoding.Detail = .plain,
        echo: Bool = true,
        presence: Bool = false,
        traces: Bool = false
    ) {
        precondition(queue >= 1, "a queue holds at least one message")
        self.queue = queue
        self.overflow = overflow
        self.detail = detail
        self.echo = echo
        self.presence = presence
        self.traces = traces
    }

    /// The encoding of the events that a subscriber gets with these options.
    func encoding(for subscriber: any Subscriber) -> EventEncoding {
        EventEncoding(subscriber.dialect, detail, framing: subscriber.framing, isTraced: traces)
    }
}

/// What a subscriber asks for.
package struct SubscribeRequest: Sendable {
    /// A topic's name, or a pattern.
    package var topic: String
    package var clientID: String
    package var start: ReplayStart
    /// `nil` for the topic's setting, or else the server's.
    package var queue: Int?
    /// `nil` for the topic's setting, or else the server's.
    package var overflow: OverflowPolicy?
    package var detail: EventEncoding.Detail
    package var echo: Bool
    package var presence: Bool
    /// Whether events contain trace contexts.
    package var traces = false
    /// Whether others are told when the subscription begins and ends.
    package var isAnnounced = true
    /// Whether to wait for a topic that does not exist, and again after the topic is deleted.
    package var waits = false
    /// Whether to create a topic that does not exist.
    package var makesTopic = false
    /// What the subscriber may have of each topic that a pattern matches; `nil` for everything.
    package var permission: Permission?

    /// - Parameter topic: the topic's name.
    package typealias Permission = @Sendable (_ topic: String) -> TopicPermission

    package init(
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
            presence: presence,
            traces: traces
        )
    }
}

/// What a subscriber may have of a topic.
package struct TopicPermission: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Its messages.
    package static let subscribe = TopicPermission(rawValue: 1 << 0)
    /// Messages from before the subscription.
    package static let replay = TopicPermission(rawValue: 1 << 1)
    /// News of who joins and leaves.
    package static let presence = TopicPermission(rawValue: 1 << 2)
    package static let all: TopicPermission = [.subscribe, .replay, .presence]
}

/// Where a subscription begins.
package struct SubscribeReceipt: Sendable {
    /// The topic's name, or the pattern, as a quoted JSON string.
    package let topicJSON: [UInt8]
    package let epoch: String
    /// The last offset before the first event to come.
    package let offset: Offset
    /// Whether all messages after the requested position follow; `nil` if no position was requested.
    package let isRecovered: Bool?
    /// The messages after the requested position that are no longer kept.
    package let missed: ClosedRange<Offset>?
    /// Whether the topic does not exist yet. Epoch and offset then have no meaning.
    package var isWaiting = false
}
