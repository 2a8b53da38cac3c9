import ApusBroker
import ApusProtocol
import ApusTesting

/// Publishes numbers one after the other, and waits when it is throttled, as a connection does.
final class RetryingPublisher: WaitingPublisher {
    private(set) var outcomes: [PublishOutcome] = []
    private(set) var next: Int
    private let last: Int
    private let loop: ManualLoop
    private let hub: Int
    private let topic: Topic

    init(_ loop: ManualLoop, topic: Topic, from first: Int, through last: Int, on hub: Int = 0) {
        self.loop = loop
        self.topic = topic
        self.next = first
        self.last = last
        self.hub = hub
    }

    var isDone: Bool { next > last }

    func start() { publishAgain() }

    func publishAgain() {
        while next <= last {
            let outcome = loop.publish(ManualLoop.message(next), to: topic, on: hub)
            outcomes.append(outcome)
            switch outcome {
            case .published, .uncommitted: next += 1
            case .deleted, .needsPublication, .rateLimited: return
            case .throttled, .held: return loop.hubs[hub].wait(self, for: topic, outcome)
            }
        }
    }

    /// Its connection is gone.
    func stop() {
        loop.hubs[hub].stopWaiting(self, for: topic)
    }
}
