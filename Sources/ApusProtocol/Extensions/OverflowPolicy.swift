/// What happens to a subscription that lags more than its queue behind.
public enum OverflowPolicy: String, Sendable, CaseIterable {
    /// Its oldest pending messages are skipped, the newest kept, and the gap announced.
    case dropOldest = "drop-oldest"
    /// What comes is skipped until there is room again, and the gap announced.
    case dropNewest = "drop-newest"
    /// Of pending messages with the same key only the newest is delivered; beyond the bound the oldest are skipped.
    case latest
    /// It is told SLOW_CONSUMER and its connection is closed.
    case disconnect
    /// Publishers of the topic wait for it, up to a time-out, after which it is disconnected.
    case throttle
}
