/// A connection to JetStream: carries out what a node wants done, and tells it what comes of that.
package protocol JetStreamLink: Sendable {
    /// Begins to tell. The first event is ``JetStreamEvent/connected`` if it is.
    ///
    /// - Parameters:
    ///   - tell: called on any thread with what ``take(atMost:)`` does not bring.
    ///   - wake: called on any thread when there is something to take again.
    func start(tell: @escaping @Sendable (JetStreamEvent) -> Void, wake: @escaping @Sendable () -> Void)

    /// Called on the journal's thread, in the order of the actions. It does not wait for answers.
    func perform(_ actions: [JetStreamAction])

    /// What the consumers have brought, in the order of each. The journal's thread takes it when it has time for that,
    /// and asks again until there is nothing.
    func take(atMost count: Int) -> [JetStreamEvent]

    /// Reads what a topic has in its stream, whatever the consumers are at. Any thread may call it, and `answer` is
    /// called once, on any thread, maybe at once. Whoever gets it goes on elsewhere.
    func read(_ request: PackRead, answer: @escaping @Sendable (PackReadAnswer) -> Void)

    /// Ends the connection. Nothing need be told any more.
    func close()
}
