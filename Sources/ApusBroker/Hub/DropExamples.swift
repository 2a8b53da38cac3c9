import ApusProtocol

/// For each reason, a subscription that missed messages: it tells whom to look for when the counter of them rises.
///
/// The first one since somebody last asked for the examples is kept, so that counting drops costs one comparison more.
package struct DropExamples {
    /// What counts the messages, by the names of the metric.
    package enum Reason: String, Sendable, CaseIterable {
        case dropOldest = "drop-oldest"
        case dropNewest = "drop-newest"
        case topicBytes = "topic-bytes"
        case ended
    }

    package struct Example: Sendable, Equatable {
        package let reason: Reason
        package let topic: String
        package let clientID: String
        /// The number of the connection.
        package let connection: UInt64
        /// How many messages it missed at once.
        package let count: UInt64
        /// In milliseconds since 1970.
        package let time: Int64
    }

    private var newest: [Reason: Example] = [:]
    private var isAsked: Set<Reason> = Set(Reason.allCases)

    func wants(_ reason: Reason) -> Bool { !isAsked.isEmpty && isAsked.contains(reason) }

    mutating func add(_ example: Example) {
        newest[example.reason] = example
        isAsked.remove(example.reason)
    }

    /// The examples. The next drop for each reason is another one.
    mutating func take() -> [Example] {
        isAsked = Set(Reason.allCases)
        return Array(newest.values)
    }
}

extension Hub {
    func exemplify(_ reason: DropExamples.Reason, _ count: UInt64, _ subscription: Subscription) {
        guard dropExamples.wants(reason) else { return }
        dropExamples.add(
            DropExamples.Example(
                reason: reason,
                topic: subscription.topic.name,
                clientID: subscription.identity.clientID,
                connection: subscription.subscriber.peer.connection,
                count: count,
                time: clock().wall
            )
        )
    }

    /// Subscriptions that missed messages, for each reason the first since the last call, or an older one.
    package func takeDropExamples() -> [DropExamples.Example] { dropExamples.take() }
}
