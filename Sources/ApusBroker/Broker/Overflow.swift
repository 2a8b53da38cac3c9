/// What happens to a subscription that lags more than its queue behind.
public enum OverflowPolicy: String, Sendable, CaseIterable {
    /// Its oldest pending messages are skipped, the newest kept, and the gap announced.
    case dropOldest = "drop-oldest"
    /// It is told SLOW_CONSUMER and its connection is closed.
    case disconnect
    /// Publishers of the topic wait for it, up to a time-out, after which it is disconnected.
    case throttle
}

/// The bound on a subscription's lag, and what happens beyond it.
public struct SubscriptionOptions: Sendable, Equatable {
    /// How many messages the subscription may lag behind what its socket has taken; at least 1.
    public var queue: Int
    public var overflow: OverflowPolicy

    public init(queue: Int = 1000, overflow: OverflowPolicy = .dropOldest) {
        precondition(queue >= 1, "a queue holds at least one message")
        self.queue = queue
        self.overflow = overflow
    }
}
