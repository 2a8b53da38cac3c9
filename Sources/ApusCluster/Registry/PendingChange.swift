/// A change of a topic that is under way, or waits for the one before it.
///
/// ```
/// look     reading ─► answer
/// create   reading ─► writing (expects what was read) ─► answer
/// set                 writing (expects what it was made from) ─► answer
/// delete   reading ─► burying (expects nothing) ─► purge ─► writing ─► answer
/// ```
/// If the node of a deletion stops between burying and writing, any node that sees the tombstone writes the rest.
struct PendingChange: Sendable {
    let change: RegistryChange
    let ticket: Ticket
    let deadline: Int64
    var step = Step.waiting

    enum Step: Sendable {
        case waiting
        /// Until the registry's mirror has passed a barrier that was published after this was asked for.
        case reading(barrier: UInt64)
        /// A tombstone in the topic's stream.
        case burying(Message)
        /// An entry in the registry.
        case writing(Message, TopicEntry)
        /// Somebody else has written at that sequence, or it was this.
        case looking(Message, TopicEntry, sequence: UInt64)
    }

    struct Message: Sendable {
        let id: PackID
        /// Of the registry's entry.
        var expected: ExpectedSequence = .anything
        var era: TopicEra
        /// `nil` while it is sent.
        var pausedUntil: Int64?
    }

    init(_ change: RegistryChange, ticket: Ticket, deadline: Int64) {
        self.change = change
        self.ticket = ticket
        self.deadline = deadline
    }

    /// What was sent and has no answer yet.
    var message: Message? {
        switch step {
        case .burying(let message), .writing(let message, _): message
        case .waiting, .reading, .looking: nil
        }
    }
}
