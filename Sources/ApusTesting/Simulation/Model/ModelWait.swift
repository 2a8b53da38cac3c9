import ApusBroker

/// A subscription that waits for its topic, or would if that were gone.
struct ModelWait {
    let clientID: String
    var request: SubscribeRequest
    /// Whether it has had a topic since it asked for its start.
    var hasStarted: Bool
}
