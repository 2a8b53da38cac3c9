/// How far a loop may be behind a topic's publishers before publishers on other loops wait for it.
///
/// When a loop gets less of its core than others, that is not its subscribers' lag. Without this bound, publishers
/// would run ahead of the loop. The loop would then offer its sockets more at once than they accept.
package struct LoopPace: Sendable, Equatable {
    /// The bound in messages times the loop's subscriptions to the topic.
    package var deliveries: Int
    /// The bound in bytes of messages.
    package var bytes: Int
    /// The least number of messages that a loop may be behind, however many subscriptions it has.
    package var fewestMessages: Int

    package init(deliveries: Int = 8192, bytes: Int = 1 << 20, fewestMessages: Int = 64) {
        self.deliveries = deliveries
        self.bytes = bytes
        self.fewestMessages = fewestMessages
    }

    /// The bound in messages for a loop with this many subscriptions.
    func messages(for subscriptions: Int) -> UInt64 {
        UInt64(max(deliveries / max(subscriptions, 1), fewestMessages))
    }
}
