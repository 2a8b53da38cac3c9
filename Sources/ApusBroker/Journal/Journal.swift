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

    /// What it has done since it was opened.
    var figures: JournalFigures { get }

    /// What it holds of a topic now.
    func holding(of topic: Topic) -> JournalHolding

    /// Reads back what it has of a topic, whole batches from the one with an offset on: at least one, and as many as
    /// `bytes` are. Any thread may call it; the answer comes on a thread of the journal.
    func read(
        _ topic: UInt32,
        template: EventTemplate,
        from offset: Offset,
        bytes: Int,
        answer: @escaping @Sendable (ArchiveAnswer) -> Void
    )

    /// The oldest offset in the first batch of a topic with a message since a time, in milliseconds since 1970; `nil`
    /// if it has none. Any thread may call it.
    func firstOffset(of topic: UInt32, since time: Int64) -> Offset?

    /// Has what was published to the topics committed soon. Any thread may call it.
    func commit(_ topics: [Topic])

    /// Records that a topic was created, changed or deleted. Later commits to it come after that.
    func record(_ change: TopicChange) -> Commit
}

/// What a journal has done since it was opened.
package struct JournalFigures: Sendable, Equatable {
    package var commits: UInt64 = 0
    package var messages: UInt64 = 0
    /// The bytes written, with what describes the messages.
    package var bytes: UInt64 = 0
    /// What could not be kept, as commits.
    package var failures: UInt64 = 0
    /// How long commits took to be written and, where a topic asks for that, flushed.
    package var times = LatencyHistogram()
    package var segments = 0
    /// The bytes of all records on the disk, and of those that are still wanted.
    package var (size, wantedSize) = (0, 0)

    package init() {}
}

/// What a journal holds of a topic.
package struct JournalHolding: Sendable, Hashable {
    /// The bytes of the topic's records.
    package var bytes: Int
    /// The oldest offset in them; `nil` if there are none.
    package var first: Offset?

    package init(bytes: Int = 0, first: Offset? = nil) {
        self.bytes = bytes
        self.first = first
    }
}

/// What happens to topics, besides publishes.
package enum TopicChange: Sendable {
    case created(Topic)
    case changed(Topic, TopicSettings)
    case deleted(Topic)
    /// What is before an offset has to be gone after a restart.
    case purged(Topic, before: Offset)
}
