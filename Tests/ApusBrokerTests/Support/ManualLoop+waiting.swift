import ApusBroker
import ApusProtocol
import ApusTesting

extension ManualLoop {
    /// Subscribes as a client that wants positions and waits for its topic.
    @discardableResult
    func wait(
        _ subscriber: RecordingSubscriber,
        for name: String = "t",
        as clientID: String = "c",
        since start: ReplayStart = .lastN(0),
        queue: Int? = nil,
        overflow: OverflowPolicy? = nil,
        limit: Int = 100,
        matches: Int = 100,
        makesTopic: Bool = false,
        on hub: Int = 0
    ) throws -> SubscribeReceipt {
        var request = SubscribeRequest(
            topic: name,
            clientID: clientID,
            start: start,
            queue: queue,
            overflow: overflow,
            detail: .positioned
        )
        request.waits = true
        request.makesTopic = makesTopic
        return try subscribe(subscriber, request, limit: limit, matches: matches, on: hub)
    }

    /// Deletes a topic and makes another of its name.
    func deleteAndMake(_ name: String = "t") throws {
        try broker.deleteTopic(named: name)
        try broker.createTopic(named: name)
    }
}
