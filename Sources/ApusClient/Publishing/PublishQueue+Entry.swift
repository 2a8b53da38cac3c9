extension PublishQueue {
    /// Why the server does not accept an entry now.
    enum Obstacle {
        case topicMissing
        /// The server is shutting down or is full.
        case unavailable
        /// A rate limit is reached.
        case rateLimited
    }

    struct Entry {
        let request: Int
        let text: String
        let ticket: OneShot<ServerMessage.Ack>
        let topic: String
        var isSent = false
        /// Whether the caller no longer waits for the answer.
        var isAbandoned = false
        /// Whether the entry waits for its topic, because a connection was lost after the topic was seen or after the
        /// entry was made.
        var isPatient = false
        /// Until when the entry waits; `nil` until it first has to wait on this connection.
        var deadline: ContinuousClock.Instant?
    }
}
