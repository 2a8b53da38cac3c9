import ApusBroker
import ApusProtocol
import Logging

extension Broker {
    /// Creates the missing topics of a list, and applies the given settings to those that exist. May be called again
    /// with another list; topics that are no longer in the list stay.
    ///
    /// - Throws: ``BrokerError`` `.nameNotAllowed` or `.tooManyTopics`. Earlier topics of the list are then already
    ///   declared.
    func declare(_ topics: [TopicDeclaration], logger: Logger) async throws(BrokerError) {
        guard !topics.isEmpty else { return }
        var made = 0
        for topic in topics {
            let isNew = try await put(named: topic.name, topic.settings).isNew
            made += isNew ? 1 : 0
        }
        logger.info("topics declared", metadata: ["made": "\(made)", "there": "\(topics.count - made)"])
    }
}
