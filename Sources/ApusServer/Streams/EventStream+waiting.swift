import ApusBroker
import ApusProtocol

// Topics that are not there yet.

extension EventStream {
    /// The topic that the stream waited for exists now. The client gets a position in it, so it can resume even before
    /// the first message.
    func created(_ topic: Topic, isUnrecovered: Bool) {
        let topicJSON = topic.template.topicJSON
        let start = framing == .eventStreamWithID ? "\(topic.epoch):0" : nil
        inform(.topicCreated(topicJSON: topicJSON, epoch: topic.epoch), at: isUnrecovered ? nil : start)
        guard isUnrecovered else { return }
        inform(.notRecovered(topicJSON: topicJSON, epoch: topic.epoch, offset: 0, missed: nil), at: start)
    }
}
