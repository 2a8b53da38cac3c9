package import ApusProtocol
import NIOConcurrencyHelpers

// What a topic counts: read of ten thousand topics once a second, so nothing is sealed for it.

extension Topic {
    /// What there is of a topic, and what was published to it so far.
    package struct Figures: Sendable {
        /// Messages published since the topic was created.
        package let messages: UInt64
        /// The bytes of those that this process has seen.
        package let publishedBytes: UInt64
        package let subscribers: Int
        /// The bytes of frames in the log.
        package let keptBytes: Int
    }

    package var figures: Figures {
        state.withLockedValue { state in
            let totals = state.totals()
            return Figures(
                messages: totals.messages,
                publishedBytes: totals.bytes,
                subscribers: state.subscriptions,
                keptBytes: state.log.bytes
            )
        }
    }

    /// Messages and bytes per second, averaged over about the last ten seconds.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
    package func averageRates(now: Int64) -> (messages: Double, bytes: Double) {
        state.withLockedValue { $0.rates.rates(now: now, totals: $0.totals()) }
    }

    /// How many messages history has now, and what they survive.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
    package func history(now: Int64) -> (messages: UInt64, durability: Durability) {
        state.withLockedValue { state in
            // The bounds of age and bytes are looked for in sealed batches.
            if state.settings.historyAge != nil || state.settings.historyBytes != nil { state.log.seal() }
            return (state.log.head - state.firstOfHistory(now: now), state.durability)
        }
    }
}
