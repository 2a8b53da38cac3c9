import ApusProtocol
import NIOConcurrencyHelpers

/// What one client may still publish, on all its connections and with all its requests.
///
/// Shared by all loops. The lock is a leaf, held for some arithmetic.
final class PublishBudget: Sendable {
    private struct State {
        var messages = TokenBucket()
        var bytes = TokenBucket()
    }

    private let state = NIOLockedValueBox(State())

    /// Takes what a publish needs: all of it, or nothing.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
    /// - Returns: the limit that is reached, if any.
    func take(messages: Int, bytes: Int, _ limits: RateLimits, now: Int64) -> RateLimits.Refusal? {
        state.withLockedValue { state in
            let publish = limits.publish.map { state.messages.wait(for: messages, $0, now: now) } ?? 0
            let publishBytes = limits.publishBytes.map { state.bytes.wait(for: bytes, $0, now: now) } ?? 0
            guard publish == 0, publishBytes == 0 else {
                // The longer wait is the one that helps.
                let isLonger = publish >= publishBytes
                return RateLimits.Refusal(
                    limit: isLonger ? .publish : .publishBytes,
                    wait: max(publish, publishBytes)
                )
            }
            if let limit = limits.publish { state.messages.take(messages, limit, now: now) }
            if let limit = limits.publishBytes { state.bytes.take(bytes, limit, now: now) }
            return nil
        }
    }

    /// Gives back what was taken for a publish that was refused afterwards.
    func giveBack(messages: Int, bytes: Int) {
        state.withLockedValue { state in
            state.messages.giveBack(messages)
            state.bytes.giveBack(bytes)
        }
    }

    /// Whether nothing is missing, so that a new budget would be the same.
    func isFull(_ limits: RateLimits, now: Int64) -> Bool {
        state.withLockedValue { state in
            (limits.publish.map { state.messages.isFull($0, now: now) } ?? true)
                && (limits.publishBytes.map { state.bytes.isFull($0, now: now) } ?? true)
        }
    }
}
