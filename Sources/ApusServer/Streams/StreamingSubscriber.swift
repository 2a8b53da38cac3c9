import ApusBroker

/// A subscriber that is served by an HTTP response. Lives on its worker's loop.
protocol StreamingSubscriber: Subscriber {
    /// Its place in its worker's list.
    var workerIndex: Int { get set }

    /// Called about once a second with a monotonic time in milliseconds.
    func tick(now: Int64)

    /// At shutdown: ends once everything has been delivered.
    func drain()

    /// The response is over.
    func end()
}
