import ApusBroker

/// A subscription that waits for its topic, now or after the topic's deletion.
struct ModelWait {
    let clientID: String
    var request: SubscribeRequest
    /// Whether it has had a topic since it asked for its start.
    var hasStarted: Bool
}
