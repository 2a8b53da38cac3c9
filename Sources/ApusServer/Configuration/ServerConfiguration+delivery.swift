public import ApusProtocol

extension ServerConfiguration {
    /// What happens when subscribers or event loops fall behind.
    public struct Delivery: Sendable, Equatable {
        /// How many messages a subscription may lag behind.
        public var queue = 1000
        public var overflow = OverflowPolicy.dropOldest
        /// How many deliveries of a topic a loop may be behind before publishers on other loops wait.
        public var loopLag = 8192
        /// How many bytes of a topic's messages a loop may be behind before publishers on other loops wait.
        public var loopLagBytes = 1 << 20
    }

    /// The compression of WebSocket messages (RFC 7692).
    public struct Compression: Sendable, Equatable {
        /// Whether messages are compressed for clients that offer it.
        public var isOn = true
        /// Events smaller than this, in bytes, are not compressed.
        public var minSize = 512
        /// From 1, the fastest, to 9, the smallest.
        public var level = 6
    }
}
