import ApusBroker
import ApusTesting

/// Publishes one message, and waits as long as it is told to.
final class ModelPublisher: WaitingPublisher {
    let message: String
    let index: Int
    let hub: Int
    private(set) var isDone = false
    var onPublished: ((ModelPublisher) -> Void)?
    private let topic: Topic
    private let loop: ManualLoop

    init(message: String, topic: Topic, index: Int, hub: Int, loop: ManualLoop) {
        self.message = message
        self.topic = topic
        self.index = index
        self.hub = hub
        self.loop = loop
    }

    func publishAgain() {
        switch loop.publish(message, to: topic, on: hub) {
        case .throttled:
            loop.hubs[hub].wait(self, for: topic)
        case .published:
            isDone = true
            onPublished?(self)
        case .deleted:
            isDone = true
        }
    }
}
