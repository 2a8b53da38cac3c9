package import ApusProtocol
import NIOConcurrencyHelpers

// Inspecting a topic, and changing its settings.

extension Topic {
    /// The number of subscriptions over all connections, including reserved ones.
    package var subscriberCount: Int {
        state.withLockedValue { $0.subscriptions }
    }

    /// The number of messages published since the topic was created.
    package var publishedCount: UInt64 {
        state.withLockedValue { $0.log.head - 1 }
    }

    /// Whether the log is over its bound in bytes, which makes publishers wait for throttling subscriptions.
    var isFull: Bool {
        state.withLockedValue { $0.log.bytes > $0.log.limits.bytes }
    }

    var isDeleted: Bool {
        state.withLockedValue { $0.isDeleted }
    }

    package var settings: TopicSettings {
        state.withLockedValue { $0.settings }
    }

    /// What acked messages survive.
    package var durability: Durability {
        state.withLockedValue { $0.durability }
    }

    /// Changes settings. Existing subscriptions keep their options.
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

    /// Changes the rate that applies unless the topic has one of its own.
    func limitRate(_ standard: RateLimit?) {
        state.withLockedValue { $0.limitRate(standard) }
    }

    /// Drops history beyond its maximum age, expired publications, and message ids outside the dedupe window.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
    func trim(now: Int64) {
        let waiting = state.withLockedValue { state -> [HubMailbox] in
            guard state.age(to: now) else { return [] }
            return state.takeWaitingIfOpen()
        }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
    }

    /// Whether the topic lets go of something as time passes.
    var dependsOnTime: Bool {
        state.withLockedValue { $0.settings.historyAge != nil || $0.dedupe != nil || $0.log.hasLifetimes }
    }

    /// Lets publishers continue that have waited for a loop for at least `timeout` milliseconds.
    func passOverStuck(for timeout: Int64) {
        let waiting = state.withLockedValue { state in
            state.passOverStuck(for: timeout)
            return state.takeWaitingIfOpen()
        }
        for mailbox in waiting { mailbox.resumePublishers(of: self) }
    }

    /// How long publishers have waited for the hub to look, in milliseconds.
    func heldTime(by mailbox: HubMailbox) -> Int64 {
        state.withLockedValue { state in state.readers.first { $0.mailbox === mailbox }?.heldTime ?? 0 }
    }

    /// Keeps nothing in memory that only history wants and the journal has, too.
    func dropTail() {
        state.withLockedValue { state in
            guard state.archive != nil else { return }
            state.log.seal()
            let tail = state.log.limits.tail
            state.log.limits.tail = 0
            state.trim()
            state.log.limits.tail = tail
        }
    }

    /// Releases capacity that the dedupe window and the key table no longer need.
    func releaseMemory() {
        state.withLockedValue { $0.releaseMemory() }
    }

    /// A snapshot of a topic's settings, history, size and rates.
    package struct Inspection: Sendable {
        package let settings: TopicSettings
        /// How many messages may be published; `nil` for any number.
        package let rateLimit: RateLimit?
        /// What acked messages survive.
        package let durability: Durability
        /// The oldest offset that a replay may start from; `last` + 1 when there is none.
        package let first: Offset
        /// The offset of the last message; 0 when nothing was ever published.
        package let last: Offset
        /// The bytes of frames in the log.
        package let bytes: Int
        /// Messages per second, averaged over about the last ten seconds.
        package let messageRate: Double
        /// Bytes per second, averaged over about the last ten seconds.
        package let byteRate: Double
        package let subscribers: Int
    }

    /// Takes a snapshot of the topic.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
    package func inspect(now: Int64) -> Inspection {
        state.withLockedValue { state in
            state.log.seal()
            let rates = state.rates.rates(now: now, totals: state.totals())
            return Inspection(
                settings: state.settings,
                rateLimit: state.rateLimit,
                durability: state.durability,
                first: state.firstOfHistory(now: now),
                last: state.log.head - 1,
                bytes: state.log.bytes,
                messageRate: rates.messages,
                byteRate: rates.bytes,
                subscribers: state.subscriptions
            )
        }
    }

    /// The bytes of frames in the log.
    package var logBytes: Int {
        state.withLockedValue { $0.log.bytes }
    }

    /// How far a cursor is behind the head, in messages, bytes and milliseconds.
    package struct Lag: Sendable, Equatable {
        package var messages: UInt64 = 0
        package var bytes = 0
        package var milliseconds: Int64 = 0
    }

    /// Computes how far `cursor` is behind the head.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
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
}

extension Topic {
    /// What the log keeps beyond its history, for subscriptions that are behind.
    struct Excess {
        /// The first offset that the history keeps. Older messages are kept for subscriptions only.
        let end: Offset
        /// The bytes of a message in the log, on average.
        let messageBytes: Int

        /// The first offset in the log.
        let start: Offset

        /// About how many bytes are kept from `cursor` on.
        func bytes(from cursor: Offset) -> Int {
            let cursor = max(cursor, start)
            return cursor < end ? Int(clamping: end - cursor) * messageBytes : 0
        }
    }

    /// - Parameter now: in milliseconds on the steady clock.
    func excess(now: Int64) -> Excess {
        state.withLockedValue { state in
            let count = Int(clamping: state.log.head - state.log.firstKept)
            let end = state.log.firstOfHistory(now: now)
            return Excess(
                end: end,
                messageBytes: count > 0 ? state.log.bytes / count : 0,
                start: state.log.firstKept
            )
        }
    }
}
