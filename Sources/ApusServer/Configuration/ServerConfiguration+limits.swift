extension ServerConfiguration {
    /// What clients may ask for, and how many of them there may be.
    public struct Limits: Sendable, Equatable {
        /// The largest message, in bytes.
        public var maxMessage = 1 << 20
        /// How deep the JSON of a command may nest.
        public var maxDepth = 128
        /// The longest client ID, in bytes.
        public var maxClientID = 1024
        /// How many connections may be open: WebSockets, event streams and waiting requests.
        public var maxConnections = 100_000
        /// How many connections one address may have; 0 means any number. Of proxies' connections, each request counts.
        public var connectionsPerAddress = 0
        /// The maximum number of subscriptions per connection.
        public var maxSubscriptions = 10_000
        public var maxTopics = 100_000
        /// How many topics the patterns of one connection may match.
        public var maxMatches = 100_000
        /// The longest queue, in messages, that a subscription may ask for.
        public var maxQueue = 100_000
        /// How many messages one publish may contain.
        public var maxBatch = 10_000
        /// How many message ids a topic with a dedupe window remembers.
        public var maxDedupe = 100_000
        /// How many consoles may be open.
        public var maxConsoles = 64
        /// The maximum number of metric series.
        public var maxSeries = 10_000
        /// How much memory the server may use before it refuses new work.
        public var maxMemory = MemoryLimit.share(75)
        /// How many clients per second should reconnect after a shutdown.
        public var reconnectRate = 1000
    }
}
