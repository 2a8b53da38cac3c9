/// Where topics live: what hubs and the REST interface ask.
///
/// A broker is shared by all event loops and safe to call from any thread.
public protocol Broker: Sendable {
    /// Makes a topic.
    ///
    /// - Throws: ``BrokerError`` `.topicExists`, `.nameNotAllowed` or `.tooManyTopics`.
    @discardableResult
    func createTopic(named name: String) throws(BrokerError) -> Topic

    /// Removes a topic; its subscribers get what was published before, and are told.
    ///
    /// - Throws: ``BrokerError`` `.topicNotFound`.
    func deleteTopic(named name: String) throws(BrokerError)

    /// The topic of that name, if there is one. Names are compared byte for byte.
    func topic(named name: String) -> Topic?

    /// All topics, in no order.
    var topics: [Topic] { get }
}

/// Why a broker refused.
public struct BrokerError: Error, Hashable, Sendable {
    public enum Code: Hashable, Sendable {
        case topicExists
        case topicNotFound
        case nameNotAllowed
        case tooManyTopics
        case tooManySubscriptions
    }

    public let code: Code
    /// For people: which topic, which limit.
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The text names the topic, or the start of what can be no topic's name.
    public static func topicNotFound(_ name: String) -> BrokerError {
        let shown = name.utf8.count <= TopicName.maxSize ? name : String(name.unicodeScalars.prefix(64)) + "…"
        return BrokerError(.topicNotFound, "Topic '\(shown)' not found")
    }
}
