package import ApusProtocol
package import NIOCore

/// The owner of subscriptions, to which the hub writes: a connection, or a test double.
///
/// It lives on its hub's loop.
package protocol Subscriber: AnyObject {
    /// The dialect of its events.
    var dialect: Dialect { get }
    /// The framing around its events.
    var framing: EventEncoding.Framing { get }
    /// The remote end, as shown in reports about subscriptions.
    var peer: SubscriberPeer { get }
    /// Distinguishes what this subscriber publishes from what others publish.
    var origin: UInt32 { get }
    /// Whether the subscriber accepts more now. When this becomes true again, it calls ``Hub/resume(_:)``.
    var isWritable: Bool { get }
    /// All subscriptions of the subscriber. Only the hub changes them.
    var subscriptions: SubscriptionSet { get set }

    /// Accepts whole frames. They may wait until ``flush()``.
    func deliver(_ frames: ByteBuffer)
    /// Sends what was delivered.
    ///
    /// The hub calls it at the end of a turn for subscribers passed to ``Hub/flushLater(_:)``. It also calls it during
    /// a delivery, to find out whether that makes room.
    func flush()
    /// Accepts a notice that has its place in the order of the events.
    func notify(_ notice: SubscriberNotice)
    /// When the client was last seen to accept data, in milliseconds of a monotonic clock.
    ///
    /// This can progress while ``isWritable`` stays false, because the buffers in between may be large. The hub asks
    /// repeatedly while publishers wait for the subscriber.
    ///
    /// - Parameter now: the current time on that clock.
    func lastTaken(now: Int64) -> Int64
}

extension Subscriber {
    package func lastTaken(now: Int64) -> Int64 { .min }
}

/// The remote end of a subscriber.
package struct SubscriberPeer: Sendable, Equatable {
    /// The number of its connection.
    package var connection: UInt64
    /// For example `127.0.0.1:50123`.
    package var address: String
    /// `websocket`, `sse` or `poll`; `process` for a ``PubSub``.
    package var transport: String

    package init(connection: UInt64, address: String, transport: String) {
        self.connection = connection
        self.address = address
        self.transport = transport
    }
}

/// What a subscriber is told besides events.
package enum SubscriberNotice {
    /// `count` messages of the topic were skipped here. Subscriptions with positions also get the range.
    case messagesDropped(Topic, count: UInt64, range: ClosedRange<Offset>?)
    /// The topic was deleted, and the subscription has ended. Everything published before has been delivered.
    ///
    /// A pattern that matched the topic stays, and so does a subscription that waits for the next topic of the name.
    case topicDeleted(Topic, byPattern: Bool, waits: Bool)
    /// The topic that a subscription waited for exists now. Its events follow, from the first one on.
    ///
    /// With `isUnrecovered`, the subscription asked for the messages after a position, and these are lost.
    case topicCreated(Topic, isUnrecovered: Bool)
    /// A subscription did not keep up and was ended. Its policy demands that the subscriber disconnects.
    case slowConsumer(Topic)
    /// A subscription is near the bound at which it will be ended.
    case slowConsumerWarning(Topic, lag: UInt64, queue: Int)
    /// What a subscription has to get next cannot be read back from the journal for now, and it was ended. The
    /// subscriber must disconnect, and may come back.
    case historyUnavailable(Topic)
    /// Another subscriber has subscribed to the topic or has left it.
    case presence(Topic, hasJoined: Bool, clientID: String)
    /// `count` presence notices were left out because the subscriber accepted no data.
    case presenceDropped(Topic, count: UInt64)
    /// The subscriber must disconnect, because it exceeds a limit.
    ///
    /// Its patterns match more topics than allowed. Or more than ``WaitingSubscription/maxLives`` topics of a name that
    /// it waits for were created and deleted before it could be told.
    case overloaded
}

/// A publisher that was told to wait. It lives on its hub's loop.
package protocol WaitingPublisher: AnyObject {
    /// Publishes again, because the topic may accept it now.
    func publishAgain()
}
