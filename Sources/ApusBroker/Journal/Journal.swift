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

    /// What it waits for before it can keep something; `nil` if it can, or never will.
    var waitsFor: String? { get }

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

    /// Whether others make, change and delete topics through the journal, too. It is then asked before a topic changes,
    /// and tells the broker what has come of that with ``MemoryBroker/adopt(_:)``.
    var decidesTopics: Bool { get }

    /// Returns when the broker has adopted all that the others were told of these topics before this call: whether they
    /// exist, their settings and their messages.
    ///
    /// - Throws: ``BrokerError`` `.notKept` if that cannot be known in time.
    func catchUp(on names: [String]) async throws(BrokerError)

    /// Asks for a change of the topics. What it comes to, the broker has adopted before the answer.
    func propose(_ proposal: TopicProposal) async throws(BrokerError) -> TopicVerdict
}

extension Journal {
    package var waitsFor: String? { nil }
    package var decidesTopics: Bool { false }
    package func catchUp(on names: [String]) async throws(BrokerError) {}

    package func propose(_ proposal: TopicProposal) async throws(BrokerError) -> TopicVerdict {
        throw BrokerError(.notKept, "This journal does not decide on topics")
    }
}

/// A change that a broker asks a journal for which others make changes through, too.
package enum TopicProposal: Sendable {
    case create(String)
    /// Create a topic with those settings, or change those of one that is there.
    case put(String, TopicSettingsFields)
    case delete(String)
    /// Has what is before an offset be no history.
    case purge(Topic, before: Offset)

    package var name: String {
        switch self {
        case .create(let name), .put(let name, _), .delete(let name): name
        case .purge(let topic, _): topic.name
        }
    }
}

/// What has come of a proposal.
package enum TopicVerdict: Sendable, Equatable {
    /// The proposal made the topic.
    case made
    /// The topic was there before, and has the settings that were asked for, if any were.
    case there
    /// It is deleted, or purged.
    case done
    /// It was not there.
    case missing
}

/// What is true of topics now, as a journal tells a broker that does not decide on them.
package enum TopicNews: Sendable {
    /// There is a topic of that name, in that epoch. Another one of that name is gone.
    case there(name: String, epoch: String, TopicSettings)
    case gone(name: String)
    /// What is before an offset is no history.
    case purged(name: String, before: Offset)
}

/// What a journal has done since it was opened.
package struct JournalFigures: Sendable, Equatable {
    package var commits: UInt64 = 0
    package var messages: UInt64 = 0
    /// The bytes written, with what describes the messages.
    package var bytes: UInt64 = 0
    /// What could not be kept, as commits.
    package var failures: UInt64 = 0
    /// Messages that others have published, times subscriptions that they were for.
    package var matched: UInt64 = 0
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
