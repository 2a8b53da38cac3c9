import ApusProtocol

/// What happens to a subscription that lags: its policy, with what the policy knows.
///
/// ```
/// hub ── what happened ──► Overflow ── Action ──► hub: moves the cursor, counts, tells the subscriber
/// ```
/// A policy decides only from what it is told. It reaches no log, no subscriber and no clock. The hub asks only about
/// subscriptions that lag: one that keeps up costs nothing here, whatever its policy.
enum Overflow: Equatable {
    case dropOldest(DropOldest)
    case dropNewest(DropNewest)
    case latest(Latest)
    case disconnect(Disconnect)
    case throttle(Throttle)

    /// What the hub is to do.
    enum Action: Equatable {
        /// Move the cursor to that offset, and count the messages that it passes.
        case skip(to: Offset, cause: Cause)
        /// Let the cursor skip so many of the newest messages when it gets there.
        case skipNewest(UInt64)
        /// Let the cursor skip everything behind so many pending messages when it gets there.
        case skipAll(beyond: UInt64)
        /// Count what no later message of the same key supersedes, and report it with ``Overflow/counted(_:head:)``.
        case countLive(bound: Int)
        /// Move the cursor to that offset, past so many messages that nothing supersedes.
        case skipSuperseded(to: Offset, dropped: UInt64)
        /// Tell the subscriber that the subscription is near its bound.
        case warn(lag: UInt64, queue: UInt64)
        /// End the subscription, and tell its subscriber to disconnect.
        case disconnect
    }

    /// Why messages are skipped.
    enum Cause: Equatable {
        /// The queue was full.
        case queue
        /// The topic's log was over its bound in bytes.
        case bytes
    }

    /// How far a subscription is behind, at a moment when its subscriber accepts no more.
    struct Backlog: Equatable {
        /// The next offset to deliver.
        var cursor: Offset
        var head: Offset
        /// The messages before the head that count: those of a replay, a burst or a skipped range do not.
        var lag: UInt64
        /// Whether the subscriber understands warnings and has got none since the subscription last caught up.
        var mayWarn = false
    }

    init(_ options: SubscriptionOptions) {
        let queue = UInt64(options.queue)
        self =
            switch options.overflow {
            case .dropOldest: .dropOldest(DropOldest(queue: queue))
            case .dropNewest: .dropNewest(DropNewest(queue: queue))
            case .latest: .latest(Latest(queue: queue))
            case .disconnect: .disconnect(Disconnect(queue: queue))
            case .throttle: .throttle(Throttle(queue: queue))
            }
    }

    // MARK: What happened

    /// The subscription lags: is its subscriber to be warned?
    func warning(of backlog: Backlog) -> Action? {
        if case .disconnect(let policy) = self { policy.warning(of: backlog) } else { nil }
    }

    /// The subscription lags: what is to be done about what is beyond its bound?
    func excess(of backlog: Backlog) -> Action? {
        switch self {
        case .dropOldest(let policy): policy.excess(of: backlog)
        case .dropNewest(let policy): policy.excess(of: backlog)
        case .latest(let policy): policy.excess(of: backlog)
        case .disconnect(let policy): policy.excess(of: backlog)
        // Publishers wait at the bound. Only its own replay or a bound in bytes can have brought it here.
        case .throttle: nil
        }
    }

    /// The hub has counted, as ``Action/countLive(bound:)`` demanded.
    mutating func counted(_ live: LiveSpan, head: Offset) -> Action? {
        guard case .latest(var policy) = self else { return nil }
        defer { self = .latest(policy) }
        return policy.counted(live, head: head)
    }

    /// A burst counts as lag from now on, because the subscriber has stopped taking it.
    mutating func burstEnded() -> Action? {
        switch self {
        case .dropNewest(let policy):
            return .skipAll(beyond: policy.queue)
        case .latest(let policy):
            self = .latest(Latest(queue: policy.queue))
            return nil
        case .dropOldest, .disconnect, .throttle:
            return nil
        }
    }

    /// The log has dropped what the subscription reads next, to stay within its bound in bytes.
    ///
    /// - Parameter firstKept: the oldest offset still in the log.
    func lost(upTo firstKept: Offset, cursor: Offset, head: Offset) -> Action {
        switch self {
        case .dropOldest, .dropNewest, .latest: .skip(to: min(max(firstKept, cursor + 1), head), cause: .bytes)
        case .disconnect, .throttle: .disconnect
        }
    }

    // MARK: What the policy means to others

    /// Whether it passes over pending messages that a later one of the same key supersedes.
    var conflates: Bool {
        if case .latest = self { true } else { false }
    }

    /// Whether publishers may have to wait for the subscription.
    var canHoldPublishers: Bool {
        if case .throttle = self { true } else { false }
    }

    /// Whether publishers wait for the subscription now.
    ///
    /// - Parameter isFull: whether the topic's log is over its bound in bytes.
    func holdsPublishers(_ backlog: Backlog, isFull: @autoclosure () -> Bool) -> Bool {
        if case .throttle(let policy) = self { policy.holdsPublishers(backlog, isFull: isFull()) } else { false }
    }

    /// Publishers wait once the head is so far ahead of the subscription's place; `nil` if they never do.
    var publishBound: UInt64? {
        if case .throttle(let policy) = self { policy.queue } else { nil }
    }
}
