/// How far a loop may be behind the publishers of a topic that it reads, before those on other loops wait for it.
///
/// A loop that gets less of its core than others is not its subscribers' lag. Left alone, its publishers would run
/// ahead of it, and what it then had for its sockets at once would be more than these can take.
public struct LoopPace: Sendable, Equatable {
    /// Messages times the subscriptions that the loop has on the topic.
    public var deliveries: Int
    /// Bytes of messages.
    public var bytes: Int
    /// So many messages a loop may be behind however many subscriptions it has.
    public var fewestMessages: Int

    public init(deliveries: Int = 8192, bytes: Int = 1 << 20, fewestMessages: Int = 64) {
        self.deliveries = deliveries
        self.bytes = bytes
        self.fewestMessages = fewestMessages
    }

    /// How many messages that is for a loop with so many subscriptions.
    func messages(for subscriptions: Int) -> UInt64 {
        UInt64(max(deliveries / max(subscriptions, 1), fewestMessages))
    }
}
