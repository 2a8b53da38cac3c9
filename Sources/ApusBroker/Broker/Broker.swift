/// Where topics live: what hubs and the REST interface ask.
///
/// A broker is shared by all event loops and safe to call from any thread.
public protocol Broker: Sendable {
    /// Makes a topic.
    ///
    /// - Throws: ``BrokerError`` `.topicExists`, `.nameNotAllowed` or `.tooManyTopics`.
    @discardableResult
    func createTopic(named name: String) throws(BrokerError) -> Topic

    /// Makes a topic with settings of its own, or changes those of one that is there.
    ///
    /// - Throws: ``BrokerError`` `.nameNotAllowed` or `.tooManyTopics`.
    func putTopic(
        named name: String,
        change: (inout TopicSettings) -> Void
    ) throws(BrokerError) -> (topic: Topic, isNew: Bool)

    /// Removes a topic; its subscribers get what was published before, and are told.
    ///
    /// - Throws: ``BrokerError`` `.topicNotFound` or `.nameNotAllowed`.
    func deleteTopic(named name: String) throws(BrokerError)

    /// Lets go of what time has made useless: what is older than topics' histories go back, has expired, or is an id
    /// that need not be known any more. Called every now and then: a topic that falls silent does not look at itself.
    ///
    /// - Parameters:
    ///   - now: on the steady clock.
    ///   - limit: how many topics are looked at; the next call goes on behind them.
    func trim(now: Int64, limit: Int)

    /// Gives back memory that was reserved for more than is there now. Called when there is little else to do.
    func releaseMemory()

    /// The topic of that name, if there is one. Names are compared byte for byte.
    func topic(named name: String) -> Topic?

    /// All topics, in no order.
    var topics: [Topic] { get }

    /// Has the hub of `mailbox` told of every topic made from now on whose name matches.
    ///
    /// - Returns: how to take the filter back, and the topics that match already, at most `limit` of them.
    func addFilter(_ filter: TopicFilter, mailbox: HubMailbox, limit: Int) -> (filter: FilterID, topics: [Topic])

    /// Has the hub of `mailbox` told of every topic of that very name made from now on.
    ///
    /// - Returns: how to take that back, and the topic that is there already, if there is one.
    func awaitTopic(named name: String, mailbox: HubMailbox) -> (filter: FilterID, topic: Topic?)

    /// Takes a filter or a name back. A topic made before that is still told of.
    func removeFilter(_ filter: FilterID)

    /// How many filters there are, names that are awaited left out.
    var filterCount: Int { get }

    /// How many times names are awaited.
    var awaitedCount: Int { get }
}

extension Broker {
    /// The topic of that name, which is made where it is not there.
    ///
    /// - Throws: ``BrokerError`` `.nameNotAllowed` or `.tooManyTopics`.
    public func topicOrNew(named name: String) throws(BrokerError) -> Topic {
        while true {
            if let topic = topic(named: name) { return topic }
            do throws(BrokerError) {
                return try createTopic(named: name)
            } catch {
                // Somebody else has made it meanwhile, and it may be gone again.
                guard error.code == .topicExists else { throw error }
            }
        }
    }
}

/// Which of a broker's filters it is.
public typealias FilterID = UInt64

/// Why a broker refused.
public struct BrokerError: Error, Hashable, Sendable {
    /// What went wrong; more may come.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String {
            case topicExists, topicNotFound, nameNotAllowed, filterNotAllowed, tooManyTopics, tooManySubscriptions
            case positionInFuture, badRequest, messageTooLarge, slowConsumer, cancelled
        }

        private let kind: Kind

        private init(_ kind: Kind) {
            self.kind = kind
        }

        /// There is a topic of that name.
        public static let topicExists = Code(.topicExists)
        /// There is no topic of that name.
        public static let topicNotFound = Code(.topicNotFound)
        /// No topic can have that name.
        public static let nameNotAllowed = Code(.nameNotAllowed)
        /// That is no pattern.
        public static let filterNotAllowed = Code(.filterNotAllowed)
        /// There are as many topics as there may be.
        public static let tooManyTopics = Code(.tooManyTopics)
        /// There are as many subscriptions as there may be.
        public static let tooManySubscriptions = Code(.tooManySubscriptions)
        /// The position is behind the topic's last message.
        public static let positionInFuture = Code(.positionInFuture)
        /// What was to be published is no JSON, or an option has a value that it cannot have.
        public static let badRequest = Code(.badRequest)
        /// What was to be published is too large.
        public static let messageTooLarge = Code(.messageTooLarge)
        /// The subscription was behind by more than its queue, and its policy ended it.
        public static let slowConsumer = Code(.slowConsumer)
        /// The task that waited was cancelled.
        public static let cancelled = Code(.cancelled)

        public var description: String { kind.rawValue }
    }

    public let code: Code
    /// For people: which topic, which limit.
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// Why there is no topic of that name: it is yet to be made, or can be no topic's name.
    ///
    /// - Parameter toPublish: whether one was wanted to publish to.
    public static func noTopic(named name: String, toPublish: Bool = false) -> BrokerError {
        guard name.utf8.count <= TopicName.maxSize else { return nameNotAllowed }
        guard !TopicFilter.isPattern(name) else {
            let rest = toPublish ? ", and one cannot publish to a pattern: name a topic" : ", not a topic"
            return BrokerError(.nameNotAllowed, "'\(name)' is a pattern\(rest)")
        }
        return TopicName.isAllowed(name) ? BrokerError(.topicNotFound, "Topic '\(name)' not found") : nameNotAllowed
    }

    /// A topic cannot have that name.
    public static let nameNotAllowed = BrokerError(
        .nameNotAllowed,
        "A topic name is 1 to \(TopicName.maxSize) bytes of UTF-8 without control characters, '*' or '>'"
    )

    public static let filterNotAllowed = BrokerError(
        .filterNotAllowed,
        "'topic' is no pattern: '*' and '>' are whole tokens between dots, '>' the last, at most"
            + " \(TopicName.maxSize) bytes"
    )
}
