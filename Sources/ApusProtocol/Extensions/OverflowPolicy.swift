/// What happens to a subscription that lags behind by more than its queue.
public enum OverflowPolicy: String, Sendable, Hashable, CaseIterable {
    /// Skips the oldest pending messages, keeps the newest, and announces the gap.
    case dropOldest = "drop-oldest"
    /// Skips new messages until there is room again, and announces the gap.
    case dropNewest = "drop-newest"
    /// Delivers only the newest pending message of each key. Beyond the bound, skips the oldest.
    case latest
    /// Sends SLOW_CONSUMER and closes the connection.
    case disconnect
    /// Makes publishers of the topic wait, up to a timeout, and then disconnects the subscriber.
    case throttle
}
