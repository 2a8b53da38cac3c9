package import ApusProtocol

/// Keeps what topics are told to keep, beyond the process.
///
/// A hub names the topics that were published to, once a turn. The journal then calls ``Topic/takeUncommitted()`` on
/// its own thread, writes all of it, and reports with ``Topic/settle(_:)``. What is published meanwhile makes the next
/// commit.
///
/// ```
/// Hub.turn ──► commit(topics) ──► takeUncommitted ──► write, sync ──► settle ──► acks, fan-out
/// ```
package protocol Journal: Sendable {
    /// The most that a topic can ask for, and what it gets unless it asks for something.
    var durability: Durability { get }

    /// Why nothing can be kept until the server is started again; `nil` as long as all is well.
    var failure: CommitFailure? { get }

    /// Has what was published to the topics committed soon. Any thread may call it.
    func commit(_ topics: [Topic])

    /// Records that a topic was created, changed or deleted. Later commits to it come after that.
    func record(_ change: TopicChange) -> Commit
}

/// What happens to topics, besides publishes.
package enum TopicChange: Sendable {
    case created(Topic)
    case changed(Topic, TopicSettings)
    case deleted(Topic)
}
