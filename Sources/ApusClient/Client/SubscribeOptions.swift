extension ApusClient {
    /// What a subscription is to get, and how much of it may wait where.
    public struct SubscribeOptions: Sendable, Hashable {
        /// Where it begins.
        public var start: Start
        /// What the server does when the subscription is behind by more than `queue`; nil is the topic's setting.
        public var overflow: OverflowPolicy?
        /// How many messages it may be behind at the server; nil is the topic's setting.
        public var queue: Int?
        /// Whether the coming and going of other subscribers is told.
        public var hasPresence = false
        /// Whether it waits for topics that are not there, or are deleted, rather than being refused and ending.
        ///
        /// A subscription that was made once waits in any case for a topic that is gone after a reconnect.
        public var waitsForTopic = false
        /// The most events that wait in this process for a consumer that is slow.
        ///
        /// When as many wait, the socket is not read any more: the server sees a slow subscriber and does what
        /// `overflow` says. The client itself drops nothing.
        public var buffer = 256
        /// The most bytes of such events, about; one alone may be larger.
        public var bufferBytes = 4 << 20

        /// The defaults, but for what is given.
        public init(start: Start = .live, overflow: OverflowPolicy? = nil, queue: Int? = nil) {
            self.start = start
            self.overflow = overflow
            self.queue = queue
        }
    }

    /// Where a subscription begins.
    ///
    /// `after`, `age`, `time` and `all` need the name of a topic, not a pattern.
    public enum Start: Sendable, Hashable {
        /// With what is published from now on.
        case live
        /// With the last messages that the topic keeps, at most this many.
        case last(Int)
        /// After a position, as kept from ``Subscription/position``.
        case after(Position)
        /// With what was published in this time until now.
        case age(Duration)
        /// With what was published since this time (RFC 3339).
        case time(String)
        /// With all that the topic keeps.
        case all
    }

    /// What the server does when a subscription falls behind by more than its queue.
    public enum OverflowPolicy: String, Sendable, Hashable, CaseIterable {
        /// Its oldest pending messages are skipped, and it is told.
        case dropOldest = "drop-oldest"
        /// What comes is skipped until there is room again, and it is told.
        case dropNewest = "drop-newest"
        /// Of pending messages with the same key only the newest is kept.
        case latest
        /// It is disconnected, after a warning; the client reconnects and recovers.
        case disconnect
        /// The topic's publishers are slowed down to its speed.
        case throttle
    }
}
