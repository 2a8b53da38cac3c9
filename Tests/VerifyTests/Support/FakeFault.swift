/// What a fake server does wrong.
enum FakeFault: Hashable, Sendable {
    /// Passes over an offset without a word.
    case loses
    /// Hands an event over twice.
    case doubles
    /// Hands an event over after the next one.
    case reorders
    /// Changes a payload.
    case damages
    /// Drops an event, and says so.
    case announcesDrop
    /// Keeps the last message of a topic to itself.
    case withholdsLast
    /// Begins one too late after a reconnect.
    case resumesLate
    /// Begins one too early after a reconnect.
    case resumesEarly
    /// Says after a reconnect that it has not all, and what is gone.
    case forgetsOnResume
    /// Acks one offset too high.
    case acksWrongOffset
    /// Acks without storing.
    case acksWithoutStoring
    /// Stores a message twice.
    case storesTwice
    /// Stores a batch backwards.
    case storesBackwards
    /// Starts another epoch in the middle.
    case changesEpoch
    /// Has two messages in the order of nobody else.
    case ordersOtherwise
    /// Counts a match that it does not account for.
    case cooksBooks
    /// Sends events of another topic.
    case leaksTopics
    /// Answers publishes with an error now and then, which is allowed.
    case refusesSome
    /// Breaks publishers' connections now and then, which is allowed.
    case breaksPublishers
}
