import ApusBroker
import ApusProtocol

/// A subscriber that is served by an HTTP response. Used only on its event loop.
protocol StreamingSubscriber: Subscriber {
    /// The subscriber's index in its loop's list.
    var loopIndex: Int { get set }
    /// What the client may do, and until when.
    var access: ClientAccess { get set }
    /// The number of the policy that the client was compared with last; 0 if it was not yet.
    var policyNumber: UInt64 { get set }

    /// Whether the response has ended, or ends once everything is delivered.
    var isFinished: Bool { get }

    /// Whether the client may still have a subscription.
    func covers(_ request: SubscribeRequest) -> Bool

    /// Some of its subscriptions have ended, because the client may not have them any more.
    func lost(_ topics: [[UInt8]])

    /// How many bytes wait for the socket.
    var pendingBytes: Int { get }

    /// Called about once a second with a monotonic time in milliseconds.
    func tick(now: Int64)

    /// At shutdown: ends the response once everything is delivered.
    func drain()

    /// Ends the response, because the client may not have it any more or an administrator ends it.
    func end(_ reason: Disconnect)

    /// Tells the client that its credential ends soon. Called about once a second until then.
    func tellExpiring()

    /// Ends the response at once.
    func end()
}
