// With its cases, for those who import only `ApusClient`.
@_exported public import enum ApusProtocol.OverflowPolicy

extension ApusClient {
    /// What a subscription receives, and how much of it may wait on the server and in the client.
    public struct SubscribeOptions: Sendable, Hashable {
        /// Where the subscription starts.
        public var start: Start
        /// What the server does when the subscription is behind by more than `queue`; `nil` means the topic's setting.
        public var overflow: OverflowPolicy?
        /// How many messages the subscription may be behind on the server; `nil` means the topic's setting.
        public var queue: Int?
        /// Whether the subscription reports other subscribers that join or leave.
        public var hasPresence = false
        /// Whether the subscription waits for topics that do not exist or are deleted. If not, it is refused, or ends.
        ///
        /// After a reconnect, an existing subscription always waits for a missing topic.
        public var waitsForTopic = false
        /// How many events may wait in this process for a slow consumer.
        ///
        /// At this limit, the client stops reading the socket. The server then sees a slow subscriber and applies
        /// `overflow`. The client itself drops nothing.
        public var buffer = 256
        /// The approximate size of those events, in bytes. A single event may be larger.
        public var bufferBytes = 4 << 20

        /// Creates default options, except for the given values.
        public init(start: Start = .live, overflow: OverflowPolicy? = nil, queue: Int? = nil) {
            self.start = start
            self.overflow = overflow
            self.queue = queue
        }
    }

    /// Where a subscription starts.
    ///
    /// `after`, `age`, `time` and `all` need the name of a topic, not a pattern.
    public enum Start: Sendable, Hashable {
        /// With the messages published from now on.
        case live
        /// With the last messages that the topic keeps, at most this many.
        case last(Int)
        /// After a position, such as a stored ``Subscription/position``.
        case after(Position)
        /// With the messages published within this duration before now.
        case age(Duration)
        /// With the messages published since this time (RFC 3339).
        case time(String)
        /// With all messages that the topic keeps.
        case all
    }

    /// What the server does when a subscription falls behind by more than its queue.
    public typealias OverflowPolicy = ApusProtocol.OverflowPolicy
}
