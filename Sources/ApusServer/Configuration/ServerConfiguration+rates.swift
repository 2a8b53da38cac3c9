public import ApusProtocol

extension ServerConfiguration {
    /// How often clients may do things. Without a rate, there is no limit. A burst of 0 is one second's worth.
    public struct Rates: Sendable, Equatable {
        /// Commands of one WebSocket connection.
        public var command = Rate.off
        public var commandBurst = 0
        /// Messages that one client publishes: an API key, the subject of a token, or an address.
        public var publish = Rate.off
        public var publishBurst = 0
        /// Bytes of these messages.
        public var publishBytes = Rate.off
        public var publishBytesBurst = 0
        /// Messages published to one topic, unless the topic has a rate of its own.
        public var topic = Rate.off
        public var topicBurst = 0
    }
}

extension ServerConfiguration.Rates {
    /// The limit of topics that have none of their own.
    var topicLimit: RateLimit? { RateLimit(topic, burst: topicBurst) }
}
