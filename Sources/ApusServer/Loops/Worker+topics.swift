import ApusBroker

extension Worker {
    /// Makes the topic that somebody publishes to and that is not there, where a publish may do so.
    ///
    /// - Throws: ``BrokerError`` `.topicNotFound`, `.nameNotAllowed` or `.tooManyTopics`.
    func makeTopicToPublish(named name: String) throws(BrokerError) {
        guard settings.createOn.contains(.publish) else { throw .topicNotFound(name) }
        _ = try broker.topicOrNew(named: name)
    }
}
