import ApusBroker

/// A subscriber that is served by an HTTP response. Used only on its event loop.
protocol StreamingSubscriber: Subscriber {
    /// The subscriber's index in its loop's list.
    var loopIndex: Int { get set }

    /// Called about once a second with a monotonic time in milliseconds.
    func tick(now: Int64)

    /// At shutdown: ends the response once everything is delivered.
    func drain()

    /// Ends the response at once.
    func end()
}
