import ApusBroker

/// A subscriber that is served by an HTTP response. Used only on its worker's loop.
protocol StreamingSubscriber: Subscriber {
    /// The subscriber's index in its worker's list.
    var workerIndex: Int { get set }

    /// Called about once a second with a monotonic time in milliseconds.
    func tick(now: Int64)

    /// At shutdown: ends the response once everything is delivered.
    func drain()

    /// Ends the response at once.
    func end()
}
