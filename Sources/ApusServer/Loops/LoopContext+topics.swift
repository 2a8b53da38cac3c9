import ApusBroker
import ApusProtocol
import NIOCore

extension LoopContext {
    /// Creates the missing topic of a publish if the configuration allows it.
    ///
    /// - Throws: ``BrokerError`` `.topicNotFound`, `.nameNotAllowed` or `.tooManyTopics`. Where topics are shared, also
    ///   `.topicPending`: see ``findOrCreate(_:isCreated:then:)``.
    func makeTopicToPublish(named name: String) throws(BrokerError) {
        guard makesTopicToPublish(named: name) else { throw .noTopic(named: name, toPublish: true) }
        _ = try broker.topicOrNew(named: name)
    }

    /// Whether the configuration lets a publish create this topic.
    func makesTopicToPublish(named name: String) -> Bool {
        settings.topics.createOn.contains(.publish) && TopicName.isAllowed(name)
    }

    /// Finds out from those who share the topics what they know of one, and creates it if it is missing.
    ///
    /// It takes a moment, and a few seconds at most. Then `body` runs on this loop, with what went wrong.
    func findOrCreate(_ name: String, isCreated: Bool, then body: @escaping (BrokerError?) -> Void) {
        let bound = NIOLoopBound(body, eventLoop: eventLoop)
        Task { [broker, eventLoop] in
            var failure: BrokerError?
            do throws(BrokerError) {
                if isCreated {
                    try await broker.findOrCreate(named: name)
                } else {
                    try await broker.catchUp(on: [name])
                }
            } catch {
                failure = error
            }
            eventLoop.execute { [failure] in bound.value(failure) }
        }
    }
}
