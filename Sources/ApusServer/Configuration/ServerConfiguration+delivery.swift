public import ApusProtocol

extension ServerConfiguration {
    /// What happens when subscribers or event loops fall behind.
    public struct Delivery: Sendable, Equatable {
        /// How many messages a subscription may lag behind.
        public var queue = 1000
        public var overflow = OverflowPolicy.dropOldest
        /// Whether subscribers may ask for ``OverflowPolicy/throttle``, which makes publishers wait for them.
        public var subscriberThrottle = true
        /// How many deliveries of a topic a loop may be behind before publishers on other loops wait.
        public var loopLag = 8192
        /// How many bytes of a topic's messages a loop may be behind before publishers on other loops wait.
        public var loopLagBytes = 1 << 20

        /// Why a subscriber may not ask for a policy; `nil` if it may.
        func refusal(of policy: OverflowPolicy?) -> String? {
            guard policy == .throttle, !subscriberThrottle else { return nil }
            return "'overflow' must not be throttle: here only a topic's own setting makes publishers wait"
        }
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
