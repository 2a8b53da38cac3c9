import ApusBroker
import ApusProtocol
import Logging

extension Broker {
    /// Makes the topics that are not there, and gives those that are the settings that are named. May be called again
    /// with another list; a topic that is no longer in it stays.
    ///
    /// - Throws: ``BrokerError`` `.nameNotAllowed` or `.tooManyTopics`; what comes before in the list is done.
    func declare(_ topics: [TopicDeclaration], logger: Logger) throws(BrokerError) {
        guard !topics.isEmpty else { return }
        var made = 0
        for topic in topics {
            let isNew = try putTopic(named: topic.name) { $0.change(to: topic.settings) }.isNew
            made += isNew ? 1 : 0
        }
        logger.info("topics declared", metadata: ["made": "\(made)", "there": "\(topics.count - made)"])
    }
}

extension TopicSettings {
    /// Takes over what was named.
    mutating func change(to fields: TopicSettingsFields) {
        if let value = fields.history { history = value }
        if let value = fields.historyAge { historyAge = value }
        if let value = fields.historyBytes { historyBytes = value }
        if let value = fields.queue { queue = value }
        if let value = fields.overflow { overflow = value }
        if let value = fields.dedupeWindow { dedupeWindow = value }
        if let value = fields.ttl { ttl = value }
    }
}
