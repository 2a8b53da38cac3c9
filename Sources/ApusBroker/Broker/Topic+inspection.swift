import NIOConcurrencyHelpers

// What is asked of a topic by who looks at it, and its settings.

extension Topic {
    /// How many subscriptions there are, over all connections.
    public var subscriberCount: Int {
        state.withLockedValue { $0.subscriptions }
    }

    /// How many messages were published since the topic was made.
    public var publishedCount: UInt64 {
        state.withLockedValue { $0.log.head - 1 }
    }

    /// Whether the bound in bytes is what makes publishers wait.
    var isFull: Bool {
        state.withLockedValue { $0.log.bytes > $0.log.limits.bytes }
    }

    var isDeleted: Bool {
        state.withLockedValue { $0.isDeleted }
    }

    var settings: TopicSettings {
        state.withLockedValue { $0.settings }
    }

    /// Changes settings; subscriptions keep what they have.
    func change(_ body: (inout TopicSettings) -> Void) {
        let waiting = state.withLockedValue { state in
            var settings = state.settings
            body(&settings)
            state.change(to: settings)
            state.log.seal()
            state.trim()
            return state.takeWaitingIfOpen()
        }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
    }

    /// Lets go of what is older than history goes back, of what has expired, and of ids that need not be known any
    /// more.
    ///
    /// - Parameter now: on the steady clock.
    func trim(now: Int64) {
        let waiting = state.withLockedValue { state -> [HubMailbox] in
            guard state.age(to: now) else { return [] }
            return state.takeWaitingIfOpen()
        }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
    }

    /// Lets publishers go on that have waited for a loop for longer than `timeout` milliseconds.
    func passOverStuck(for timeout: Int64) {
        let waiting = state.withLockedValue { state in
            state.passOverStuck(for: timeout)
            return state.takeWaitingIfOpen()
        }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
    }

    /// For how long publishers have waited for the hub to look, in milliseconds.
    func heldTime(by mailbox: HubMailbox) -> Int64 {
        state.withLockedValue { state in state.readers.first { $0.mailbox === mailbox }?.heldTime ?? 0 }
    }

    /// Gives back what was reserved for more ids and keys than there are now.
    func releaseMemory() {
        state.withLockedValue { $0.releaseMemory() }
    }

    /// What there is to know of a topic.
    public struct Inspection: Sendable {
        public let settings: TopicSettings
        /// The oldest offset that a replay may start from; 1 more than `last` when there is none.
        public let first: Offset
        /// 0 when nothing was ever published.
        public let last: Offset
        /// What the log takes in memory.
        public let bytes: Int
        /// Per second, over the last ten or so.
        public let messageRate: Double
        /// Per second, over the last ten or so.
        public let byteRate: Double
        public let subscribers: Int
    }

    /// - Parameter now: on the steady clock.
    public func inspect(now: Int64) -> Inspection {
        state.withLockedValue { state in
            state.log.seal()
            let rates = state.rates.rates(now: now)
            return Inspection(
                settings: state.settings,
                first: state.log.firstOfHistory(now: now),
                last: state.log.head - 1,
                bytes: state.log.bytes,
                messageRate: rates.messages,
                byteRate: rates.bytes,
                subscribers: state.subscriptions
            )
        }
    }

    /// How many bytes the log takes in memory.
    public var logBytes: Int {
        state.withLockedValue { $0.log.bytes }
    }

    /// How far behind a cursor is.
    public struct Lag: Sendable, Equatable {
        public var messages: UInt64 = 0
        public var bytes = 0
        public var milliseconds: Int64 = 0
    }

    /// How far behind the head the place of `cursor` is.
    ///
    /// - Parameter now: on the steady clock.
    func lag(of cursor: Offset, now: Int64) -> Lag {
        state.withLockedValue { state in
            guard cursor < state.log.head else { return Lag() }
            state.log.seal()
            let time = state.log.steadyTime(at: max(cursor, state.log.firstKept))
            return Lag(
                messages: state.log.head - cursor,
                bytes: state.log.bytes(from: cursor),
                milliseconds: max(now - (time ?? now), 0)
            )
        }
    }

    /// What a subscription with the latest policy has before it.
    struct LiveSpan {
        /// How many pending publications no later one with the same key has superseded.
        let count: Int
        /// Where the cursor goes, so that no more than the bound of them are left; and how many that passes by.
        let next: Offset
        let passed: Int
        /// How many batches were looked at.
        let batches: Int
    }

    /// Looks at all of it at once: other loops publish meanwhile, and so supersede.
    ///
    /// - Parameters:
    ///   - cursor: the subscription's.
    ///   - start: what lies before it does not count as lag.
    func liveSpan(from cursor: Offset, start: Offset, bound: Int) -> LiveSpan {
        state.withLockedValue { state in
            let count = state.log.liveCount(from: start)
            let batches = state.log.batchCount(from: start)
            guard count > bound else { return LiveSpan(count: count, next: cursor, passed: 0, batches: batches) }
            let next = state.log.offset(behind: count - bound, from: start)
            let passed = state.log.liveCount(from: cursor) - state.log.liveCount(from: next)
            return LiveSpan(count: count, next: next, passed: max(passed, 0), batches: batches)
        }
    }
}
