package import ApusProtocol
import NIOConcurrencyHelpers

/// A broker that keeps everything in this process's memory.
///
/// One lock guards the table of topics and the filters. No topic can thus be created between a filter's look-up in the
/// table and its registration. The hot path does not take this lock: hubs cache the topics that they publish to.
package final class MemoryBroker: Broker {
    /// The bounds on a broker's topics.
    package struct Limits: Sendable {
        /// How many publications a topic keeps for replay, unless the topic says otherwise.
        package var history: Int
        /// The most bytes of messages that a topic keeps, even if history or a slow subscriber needs more.
        package var topicBytes: Int
        /// The maximum number of topics. Creating more fails.
        package var topics: Int
        /// How many message ids a topic with a dedupe window remembers. Beyond that it forgets the oldest.
        package var dedupe: Int
        /// `nil` if publishers never wait for loops.
        package var loopPace: LoopPace?
        /// How many messages may be published to a topic, unless the topic says otherwise; `nil` for any number.
        package var topicRate: RateLimit?
        /// The bytes of a topic that may wait for the journal. Beyond that, publishers wait.
        package var uncommittedBytes: Int
        /// The bytes of a topic that make one commit. Beyond that, publishers wait until the journal has taken it.
        package var commitBytes = Int.max
        /// The bytes of a topic's history that stay in memory though a journal has them, too.
        package var tailBytes: Int
        /// The same of a topic that nobody here reads.
        package var unreadTailBytes = Int.max

        package init(
            history: Int = 100,
            topicBytes: Int = 256 << 20,
            topics: Int = 100_000,
            dedupe: Int = 100_000,
            loopPace: LoopPace? = nil,
            topicRate: RateLimit? = nil,
            uncommittedBytes: Int = 16 << 20,
            tailBytes: Int = 1 << 20
        ) {
            self.history = history
            self.topicBytes = topicBytes
            self.topics = topics
            self.dedupe = dedupe
            self.loopPace = loopPace
            self.topicRate = topicRate
            self.uncommittedBytes = uncommittedBytes
            self.tailBytes = tailBytes
        }
    }

    struct State {
        var topics: [ExactText: Topic] = [:]
        var names = NameTrie<Topic>()
        var filters = FilterTrie<Filter>()
        var handles: [FilterID: FilterTrie<Filter>.Handle] = [:]
        var awaited = AwaitedNames()
        var lastFilter: FilterID = 0
        /// The rate of topics that have none of their own.
        var topicRate: RateLimit?
        /// The topics not yet trimmed in this round.
        var untrimmed: ArraySlice<Topic> = []
        /// The number of the newest topic, for the journal.
        var lastNumber: UInt32 = 0
        var purgedCount: UInt64 = 0
        /// The newest change that the journal was told of.
        var lastChange: Commit?
    }

    /// A hub that wants to hear about new topics.
    struct Filter {
        let id: FilterID
        let mailbox: HubMailbox
    }

    package let limits: Limits
    private let makeEpoch: @Sendable () -> String
    package let journal: (any Journal)?
    let state: NIOLockedValueBox<State>

    /// Creates a broker without topics.
    ///
    /// - Parameters:
    ///   - journal: keeps what topics are told to keep; `nil` if nothing outlives the process.
    ///   - makeEpoch: makes the epoch of a new topic: short text of letters and digits, never the same twice.
    package init(
        limits: Limits = Limits(),
        journal: (any Journal)? = nil,
        makeEpoch: @escaping @Sendable () -> String = MemoryBroker.randomEpoch
    ) {
        self.limits = limits
        self.journal = journal
        self.makeEpoch = makeEpoch
        state = NIOLockedValueBox(State(topicRate: limits.topicRate))
    }

    /// 64 random bits in base 36: at most 13 letters and digits.
    @Sendable
    package static func randomEpoch() -> String {
        String(UInt64.random(in: .min ... .max), radix: 36)
    }

    @discardableResult
    package func createTopic(named name: String) throws(BrokerError) -> Topic {
        let (topic, isNew) = try find(or: TopicSettings(), named: name)
        guard isNew else { throw BrokerError(.topicExists, "Topic '\(name)' already exists") }
        return topic
    }

    package func putTopic(
        named name: String,
        change: (inout TopicSettings) -> Void
    ) throws(BrokerError) -> (topic: Topic, isNew: Bool) {
        var settings = TopicSettings()
        change(&settings)
        let (topic, isNew) = try find(or: settings, named: name)
        if !isNew {
            topic.change(change)
            keepSettings(of: topic)
        }
        return (topic, isNew)
    }

    /// The topic of that name, or a new one with those settings.
    private func find(
        or settings: TopicSettings,
        named name: String
    ) throws(BrokerError) -> (topic: Topic, isNew: Bool) {
        guard TopicName.isAllowed(name) else { throw .nameNotAllowed }
        let epoch = makeEpoch()
        let result = state.withLockedValue { state -> Result<(Topic, isNew: Bool), BrokerError> in
            if let topic = state.topics[ExactText(name)] { return .success((topic, false)) }
            if journal?.decidesTopics == true { return .failure(.topicPending) }
            guard state.topics.count < limits.topics else { return .failure(.tooManyTopics(limits.topics)) }
            return .success((insert(named: name, epoch: epoch, settings: settings, &state), true))
        }
        return try result.get()
    }

    /// Makes a topic. There must be none of that name.
    ///
    /// Under the lock, so that a hub and the journal hear of topics of one name in the order in which they were made.
    private func insert(named name: String, epoch: String, settings: TopicSettings, _ state: inout State) -> Topic {
        let filters = state.filters.count == 0 ? [] : state.filters.matches(of: name)
        let awaiting = state.awaited.all(of: name)
        let topic = Topic(
            name: name,
            epoch: epoch,
            limits: limits,
            rate: state.topicRate,
            settings: settings,
            reservations: filters.count + awaiting.count,
            number: journal == nil ? 0 : state.lastNumber + 1,
            durability: journal?.durability ?? .memory
        )
        if let journal {
            state.lastNumber = topic.number
            if !journal.decidesTopics { state.lastChange = journal.record(.created(topic)) }
        }
        state.topics[ExactText(name)] = topic
        state.names.insert(name, topic)
        for filter in filters { filter.mailbox.post(topic, matching: filter.id) }
        for (id, mailbox) in awaiting { mailbox.post(topic, matching: id) }
        return topic
    }

    /// Makes a topic that the journal has told of.
    func insert(named name: String, epoch: String, settings: TopicSettings) -> Topic {
        state.withLockedValue { insert(named: name, epoch: epoch, settings: settings, &$0) }
    }

    func checkRoom() throws(BrokerError) {
        guard topicCount < limits.topics else { throw .tooManyTopics(limits.topics) }
    }

    package func deleteTopic(named name: String) throws(BrokerError) {
        if journal?.decidesTopics == true { throw .topicPending }
        guard remove(topicNamed: name) else { throw .noTopic(named: name) }
    }

    /// Ends a topic for those who read it.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    func remove(topicNamed name: String) -> Bool {
        guard name.utf8.count <= TopicName.maxSize,
            let topic = state.withLockedValue({ state in
                guard let topic = state.topics.removeValue(forKey: ExactText(name)) else { return Topic?.none }
                state.names.remove(name)
                // Done before another topic of that name can be created, so that its subscriptions find their
                // predecessors.
                topic.markDeleted()
                if let journal, !journal.decidesTopics { state.lastChange = journal.record(.deleted(topic)) }
                return topic
            })
        else { return false }
        topic.delete()
        // What is not kept yet is to be settled before the topic ends.
        if topic.hasUncommitted { journal?.commit([topic]) }
        return true
    }

    package func trim(now: Int64, limit: Int) {
        let due = state.withLockedValue { state in
            if state.untrimmed.isEmpty { state.untrimmed = Array(state.topics.values)[...] }
            let due = state.untrimmed.prefix(limit)
            state.untrimmed = state.untrimmed.dropFirst(limit)
            // An empty slice would keep the whole array in memory, and deleted topics with it.
            if state.untrimmed.isEmpty { state.untrimmed = [] }
            return due
        }
        for topic in due { topic.trim(now: now) }
        // What became too old is not wanted on the disk either.
        if let journal { journal.commit(due.filter { $0.isInJournal && $0.dependsOnTime }) }
    }

    package func limitRate(_ standard: RateLimit?) {
        // A topic that is created meanwhile has the new rate already.
        let topics = state.withLockedValue { state in
            state.topicRate = standard
            return Array(state.topics.values)
        }
        for topic in topics { topic.limitRate(standard) }
    }

    package func releaseMemory() {
        for topic in topics { topic.releaseMemory() }
        state.withLockedValue { state in
            state.topics.releaseRoom()
            state.names.releaseRoom()
            state.filters.releaseRoom()
            state.handles.releaseRoom()
            state.awaited.releaseRoom()
        }
    }

    package func topic(named name: String) -> Topic? {
        // Checked first: nobody waits for the lock while a name is hashed that no topic can have.
        guard name.utf8.count <= TopicName.maxSize else { return nil }
        return state.withLockedValue { $0.topics[ExactText(name)] }
    }

    package var topics: [Topic] {
        state.withLockedValue { Array($0.topics.values) }
    }

    package var topicCount: Int {
        state.withLockedValue { $0.topics.count }
    }

    // MARK: Filters

    package func addFilter(
        _ filter: TopicFilter,
        mailbox: HubMailbox,
        limit: Int
    ) -> (filter: FilterID, topics: [Topic]) {
        state.withLockedValue { state in
            state.lastFilter += 1
            let id = state.lastFilter
            state.handles[id] = state.filters.insert(filter, Filter(id: id, mailbox: mailbox))
            return (id, state.names.matches(of: filter, limit: limit))
        }
    }

    package func topics(matching filter: TopicFilter) -> [Topic] {
        state.withLockedValue { $0.names.matches(of: filter) }
    }

    package func awaitTopic(named name: String, mailbox: HubMailbox) -> (filter: FilterID, topic: Topic?) {
        state.withLockedValue { state in
            state.lastFilter += 1
            state.awaited.insert(state.lastFilter, name: name, mailbox: mailbox)
            return (state.lastFilter, state.topics[ExactText(name)])
        }
    }

    package func removeFilter(_ filter: FilterID) {
        state.withLockedValue { state in
            if let handle = state.handles.removeValue(forKey: filter) {
                state.filters.remove(handle)
            } else {
                state.awaited.remove(filter)
            }
        }
    }

    package var awaitedCount: Int {
        state.withLockedValue { $0.awaited.count }
    }

    package var filterCount: Int {
        state.withLockedValue { $0.filters.count }
    }
}
