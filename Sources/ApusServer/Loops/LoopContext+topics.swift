import ApusBroker
import ApusProtocol

extension LoopContext {
    /// Creates the missing topic of a publish if the configuration allows it.
    ///
    /// - Throws: ``BrokerError`` `.topicNotFound`, `.nameNotAllowed` or `.tooManyTopics`.
    func makeTopicToPublish(named name: String) throws(BrokerError) {
        guard settings.topics.createOn.contains(.publish), TopicName.isAllowed(name) else {
            throw .noTopic(named: name, toPublish: true)
        }
        _ = try broker.topicOrNew(named: name)
    }
}
