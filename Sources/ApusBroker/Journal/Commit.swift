import NIOConcurrencyHelpers

/// Publishes or a change that a journal keeps together, or not at all.
///
/// A topic makes one for all that is published to it until its journal takes it. Each publisher's hub joins it, and is
/// told when it is settled.
package final class Commit: Sendable, Equatable {
    package enum Outcome: Sendable, Hashable {
        case kept
        case failed(CommitFailure)
    }

    /// What a hub published as part of the commit.
    struct Share {
        let mailbox: HubMailbox
        var messages = 0
        var duplicates = 0
        /// Which ones, if their offsets may move.
        var places: [Range<UInt64>] = []
    }

    private struct State {
        var outcome: Outcome?
        var shares: [Share] = []
        /// The subscriptions that each message is for.
        var subscribers = 0
        var relocation: Relocation?
        var waiting: [CheckedContinuation<Outcome, Never>] = []

        /// Takes messages that others have published already out of the shares.
        mutating func relocate(_ relocation: Relocation?) {
            self.relocation = relocation
            guard let places = relocation?.places, !places.dropped.isEmpty else { return }
            for index in shares.indices {
                let dropped = shares[index].places.reduce(0) { $0 + places.droppedCount(in: $1) }
                shares[index].messages -= dropped
                shares[index].duplicates += dropped
            }
        }
    }

    private let state = NIOLockedValueBox(State())
    /// When the first of its messages was taken, by ``HubMailbox/now()``.
    let taken = HubMailbox.now()

    package init() {}

    package static func == (left: Commit, right: Commit) -> Bool { left === right }

    /// `nil` until it is settled.
    package var outcome: Outcome? { state.withLockedValue { $0.outcome } }

    /// What became of the offsets in its receipts; `nil` if they are what was said.
    package var relocation: Relocation? { state.withLockedValue { $0.relocation } }

    /// Adds a hub's publishes. Call it before the journal takes the commit.
    ///
    /// - Parameter place: of the first one, if their offsets may move.
    func join(_ mailbox: HubMailbox, messages: Int, duplicates: Int = 0, place: UInt64 = .max) {
        state.withLockedValue { state in
            let index = state.shares.firstIndex { $0.mailbox === mailbox } ?? state.shares.endIndex
            if index == state.shares.endIndex { state.shares.append(Share(mailbox: mailbox)) }
            state.shares[index].messages += messages
            state.shares[index].duplicates += duplicates
            if place != .max, messages > 0 { state.shares[index].places.append(place..<place + UInt64(messages)) }
        }
    }

    /// What the hub published as part of it, and for how many subscriptions each message is.
    func share(of mailbox: HubMailbox) -> (share: Share, subscribers: Int) {
        state.withLockedValue { state in
            (state.shares.first { $0.mailbox === mailbox } ?? Share(mailbox: mailbox), state.subscribers)
        }
    }

    /// Settles the commit, once, and tells all who wait.
    package func settle(_ outcome: Outcome, subscribers: Int = 0, relocation: Relocation? = nil) {
        let (shares, waiting) = state.withLockedValue { state in
            guard state.outcome == nil else { return ([Share](), [CheckedContinuation<Outcome, Never>]()) }
            state.outcome = outcome
            state.subscribers = subscribers
            state.relocate(relocation)
            defer { state.waiting = [] }
            return (state.shares, state.waiting)
        }
        for share in shares { share.mailbox.post(self) }
        for continuation in waiting { continuation.resume(returning: outcome) }
    }

    /// Waits until it is settled.
    package func settled() async -> Outcome {
        await withCheckedContinuation { continuation in
            let outcome = state.withLockedValue { state in
                if state.outcome == nil { state.waiting.append(continuation) }
                return state.outcome
            }
            if let outcome { continuation.resume(returning: outcome) }
        }
    }
}

/// Why something could not be kept.
package struct CommitFailure: Error, Sendable, Hashable {
    /// For people: what is full, or failed.
    package let message: String
    /// Whether nothing can be kept until the server is started again.
    package let isFinal: Bool

    package init(message: String, isFinal: Bool) {
        self.message = message
        self.isFinal = isFinal
    }
}
