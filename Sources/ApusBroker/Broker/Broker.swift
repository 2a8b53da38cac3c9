package import ApusProtocol

/// The owner of all topics. Hubs and the REST interface use it.
///
/// All event loops share a broker. Any thread may call it.
package protocol Broker: Sendable {
    /// Keeps what topics are told to keep; `nil` if nothing outlives the process.
    var journal: (any Journal)? { get }

    /// Waits until the topics that were made, changed or deleted before are so in the journal, too.
    ///
    /// - Throws: ``CommitFailure``.
    func changesKept() async throws(CommitFailure)

    /// Creates a topic.
    ///
    /// - Throws: ``BrokerError`` `.topicExists`, `.nameNotAllowed` or `.tooManyTopics`.
    @discardableResult
    func createTopic(named name: String) throws(BrokerError) -> Topic

    /// Creates a topic with its own settings, or changes the settings of an existing topic.
    ///
    /// - Throws: ``BrokerError`` `.nameNotAllowed` or `.tooManyTopics`.
    func putTopic(
        named name: String,
        change: (inout TopicSettings) -> Void
    ) throws(BrokerError) -> (topic: Topic, isNew: Bool)

    /// Creates a topic, and waits until that is kept, or decided, where it is.
    ///
    /// - Throws: ``BrokerError``: what ``createTopic(named:)`` throws, and `.notKept`.
    func create(named name: String) async throws(BrokerError) -> Topic

    /// Creates a topic with its own settings, or changes the settings of an existing topic, and waits until that is
    /// kept, or decided, where it is.
    ///
    /// - Throws: ``BrokerError``: what ``putTopic(named:change:)`` throws, and `.notKept`.
    func put(
        named name: String,
        _ fields: TopicSettingsFields
    ) async throws(BrokerError) -> (topic: Topic, isNew: Bool)

    /// Deletes a topic, and waits until that is kept, or decided, where it is.
    ///
    /// - Throws: ``BrokerError``: what ``deleteTopic(named:)`` throws, and `.notKept`.
    func delete(named name: String) async throws(BrokerError)

    /// Deletes a topic. Its subscribers get what was published before, and are told.
    ///
    /// - Throws: ``BrokerError`` `.topicNotFound` or `.nameNotAllowed`.
    func deleteTopic(named name: String) throws(BrokerError)

    /// Has a topic begin anew with its next message: what was published before is no history any more, after a restart
    /// either. Offsets go on. Subscriptions that are behind still get what they have to read.
    ///
    /// - Parameter now: in milliseconds on the steady clock.
    /// - Returns: how many messages could be replayed before, those that had expired included.
    /// - Throws: ``BrokerError`` `.topicNotFound` or `.nameNotAllowed`; `.notKept` if it would not survive a restart.
    func purgeTopic(named name: String, now: Int64) async throws(BrokerError) -> UInt64

    /// How many messages were purged.
    var purgedCount: UInt64 { get }

    /// Drops what has become too old: history, expired messages, and message ids outside the dedupe window.
    ///
    /// Call it regularly: a topic without publishes does not check itself.
    ///
    /// - Parameters:
    ///   - now: in milliseconds on the steady clock.
    ///   - limit: how many topics to check. The next call continues after them.
    func trim(now: Int64, limit: Int)

    /// Changes how many messages may be published to each topic that has no rate of its own.
    func limitRate(_ standard: RateLimit?)

    /// Lets go of history in memory that can be read back from the journal. It comes again with what is published.
    func dropTails()

    /// Releases unused capacity. Call it when there is little else to do.
    func releaseMemory()

    /// Whether others make, change and delete topics, too, and publish to them. This process knows it a moment later.
    var isShared: Bool { get }

    /// Returns when this process knows all that the others were told of these topics before this call.
    ///
    /// - Throws: ``BrokerError`` `.notKept` if that cannot be known in time.
    func catchUp(on names: [String]) async throws(BrokerError)

    /// The topic of that name, if it exists. Names are compared byte for byte.
    func topic(named name: String) -> Topic?

    /// All topics, in no particular order.
    var topics: [Topic] { get }

    /// The number of topics.
    var topicCount: Int { get }

    /// The topics whose names match, in the order in which they were created.
    func topics(matching filter: TopicFilter) -> [Topic]

    /// Tells the hub of `mailbox` about every topic created from now on whose name matches.
    ///
    /// - Returns: the id to remove the filter with, and the topics that match already, at most `limit` of them.
    func addFilter(_ filter: TopicFilter, mailbox: HubMailbox, limit: Int) -> (filter: FilterID, topics: [Topic])

    /// Tells the hub of `mailbox` about every topic of exactly that name created from now on.
    ///
    /// - Returns: the id to remove the registration with, and the topic if it exists already.
    func awaitTopic(named name: String, mailbox: HubMailbox) -> (filter: FilterID, topic: Topic?)

    /// Removes a filter or the registration of a name. The hub still hears about topics created before.
    func removeFilter(_ filter: FilterID)

    /// The number of filters, not counting awaited names.
    var filterCount: Int { get }

    /// The number of registrations for names.
    var awaitedCount: Int { get }
}

extension Broker {
    /// Whether somebody who knows more than this process may mean something that it would say is not there.
    ///
    /// - Parameter start: from where it is to be read, if that matters.
    package func mayBeBehind(_ name: String, _ start: ReplayStart? = nil) -> Bool {
        guard isShared, TopicName.isAllowed(name) else { return false }
        guard let topic = topic(named: name) else { return true }
        guard case .position(let epoch, let offset)? = start else { return false }
        return topic.epoch != epoch || offset > topic.publishedCount
    }

    /// The topic of that name, by what the others were told before this call, too.
    ///
    /// - Throws: ``BrokerError`` `.notKept` if that cannot be known in time.
    package func find(named name: String) async throws(BrokerError) -> Topic? {
        if mayBeBehind(name) { try await catchUp(on: [name]) }
        return topic(named: name)
    }

    /// The topic of that name, by what the others were told before this call, too. Creates it if it does not exist.
    ///
    /// - Throws: ``BrokerError`` `.nameNotAllowed`, `.tooManyTopics` or `.notKept`.
    @discardableResult
    package func findOrCreate(named name: String) async throws(BrokerError) -> Topic {
        while true {
            if let topic = try await find(named: name) { return topic }
            do throws(BrokerError) {
                return try await create(named: name)
            } catch {
                // Somebody else has created it meanwhile. It may be deleted again.
                guard error.code == .topicExists else { throw error }
            }
        }
    }

    /// The topic of that name. Creates it if it does not exist.
    ///
    /// - Throws: ``BrokerError`` `.nameNotAllowed` or `.tooManyTopics`.
    package func topicOrNew(named name: String) throws(BrokerError) -> Topic {
        while true {
            if let topic = topic(named: name) { return topic }
            do throws(BrokerError) {
                return try createTopic(named: name)
            } catch {
                // Another thread has created the topic meanwhile. It may be deleted again.
                guard error.code == .topicExists else { throw error }
            }
        }
    }
}

/// Identifies a filter or an awaited name of a broker.
package typealias FilterID = UInt64

/// Why a broker refused a request, or ended a subscription.
public struct BrokerError: Error, Hashable, Sendable {
    /// What went wrong. Later versions may add codes.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String {
            case topicExists, topicNotFound, nameNotAllowed, filterNotAllowed, tooManyTopics, tooManySubscriptions
            case positionInFuture, badRequest, messageTooLarge, rateLimited, slowConsumer, cancelled, notKept
        }

        private let kind: Kind

        private init(_ kind: Kind) {
            self.kind = kind
        }

        /// A topic of that name exists already.
        public static let topicExists = Code(.topicExists)
        /// There is no topic of that name.
        public static let topicNotFound = Code(.topicNotFound)
        /// The name is not allowed for a topic.
        public static let nameNotAllowed = Code(.nameNotAllowed)
        /// The text is not a valid pattern.
        public static let filterNotAllowed = Code(.filterNotAllowed)
        /// The maximum number of topics exists already.
        public static let tooManyTopics = Code(.tooManyTopics)
        /// The maximum number of subscriptions or of matching topics is reached.
        public static let tooManySubscriptions = Code(.tooManySubscriptions)
        /// The position is after the topic's last message.
        public static let positionInFuture = Code(.positionInFuture)
        /// The message is not valid JSON, or an option has an invalid value.
        public static let badRequest = Code(.badRequest)
        /// The message is too large.
        public static let messageTooLarge = Code(.messageTooLarge)
        /// The topic takes no more messages for the moment. ``BrokerError/retryAfter`` says when it takes the next.
        public static let rateLimited = Code(.rateLimited)
        /// The subscription was behind by more than its queue, and its policy ended it.
        public static let slowConsumer = Code(.slowConsumer)
        /// The message could not be kept as the topic's durability demands. It was not published.
        public static let notKept = Code(.notKept)
        /// The waiting task was cancelled.
        public static let cancelled = Code(.cancelled)

        public var description: String { kind.rawValue }
    }

    public let code: Code
    /// For people: names the topic or the limit.
    public let message: String
    /// How long to wait before another try, if the broker knows.
    public let retryAfter: Duration?

    package init(_ code: Code, _ message: String, retryAfter: Duration? = nil) {
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
    }

    /// The error for a topic whose rate is used up.
    ///
    /// - Parameter wait: in milliseconds.
    package static func rateLimited(topic: String, wait: Int64) -> BrokerError {
        BrokerError(
            .rateLimited,
            "Topic '\(topic)' takes no more messages at this rate",
            retryAfter: .milliseconds(wait)
        )
    }

    /// The error for a name without a topic: it does not exist, or the name is not allowed for a topic.
    ///
    /// - Parameter toPublish: whether the caller wanted to publish to the topic.
    package static func noTopic(named name: String, toPublish: Bool = false) -> BrokerError {
        guard name.utf8.count <= TopicName.maxSize else { return nameNotAllowed }
        guard !TopicFilter.isPattern(name) else {
            let rest = toPublish ? ", and one cannot publish to a pattern: name a topic" : ", not a topic"
            return BrokerError(.nameNotAllowed, "'\(name)' is a pattern\(rest)")
        }
        return TopicName.isAllowed(name) ? BrokerError(.topicNotFound, "Topic '\(name)' not found") : nameNotAllowed
    }

    package static func tooManyTopics(_ limit: Int) -> BrokerError {
        BrokerError(.tooManyTopics, "The limit of \(counted(limit, "topic")) is reached")
    }

    /// The topics are not this process's alone to change: that takes a moment, see ``Broker/create(named:)``.
    package static let topicPending = BrokerError(.notKept, "The cluster has to decide on topics")

    /// The name is not allowed for a topic.
    package static let nameNotAllowed = BrokerError(
        .nameNotAllowed,
        "A topic name is 1 to \(TopicName.maxSize) bytes of UTF-8 without control characters, '*' or '>'"
    )

    package static let filterNotAllowed = BrokerError(
        .filterNotAllowed,
        "'topic' is no pattern: '*' and '>' are whole tokens between dots, '>' the last, at most"
            + " \(TopicName.maxSize) bytes"
    )
}
