import ApusBroker

extension Worker {
    /// Makes the topic that somebody publishes to and that is not there, where a publish may do so.
    ///
    /// - Throws: ``BrokerError`` `.topicNotFound`, `.nameNotAllowed` or `.tooManyTopics`.
    func makeTopicToPublish(named name: String) throws(BrokerError) {
        guard settings.createOn.contains(.publish), TopicName.isAllowed(name) else {
            throw .noTopic(named: name, toPublish: true)
        }
        _ = try broker.topicOrNew(named: name)
    }
}
