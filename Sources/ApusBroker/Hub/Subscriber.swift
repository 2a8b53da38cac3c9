public import ApusProtocol
public import NIOCore

/// Who owns subscriptions and is written to: a connection, or a test's double. Lives on its hub's loop.
public protocol Subscriber: AnyObject {
    /// The dialect its events are in.
    var dialect: Dialect { get }
    /// What is around its events.
    var framing: EventEncoding.Framing { get }
    /// Who it is, for those who look at subscriptions.
    var peer: SubscriberPeer { get }
    /// Distinguishes its publishes from others'.
    var origin: UInt32 { get }
    /// Whether it takes more now. When it does again after it did not, it calls ``Hub/resume(_:)``.
    var isWritable: Bool { get }
    /// All its subscriptions; only the hub changes them.
    var subscriptions: SubscriptionSet { get set }

    /// Takes whole frames. They may wait until ``flush()``.
    func deliver(_ frames: ByteBuffer)
    /// Sends what was delivered. The hub calls it at the end of a turn for who asked with ``Hub/flushLater(_:)``, and
    /// in the midst of a delivery to find out whether that makes room.
    func flush()
    /// Takes note of something that has its place in the order of the events.
    func notify(_ notice: SubscriberNotice)
    /// When its client was last seen to take something though ``isWritable`` does not show it, in milliseconds of a
    /// monotonic clock: the buffers between them may be large. Asked again and again of one that publishers wait for.
    ///
    /// - Parameter now: on that clock.
    func lastTaken(now: Int64) -> Int64
}

extension Subscriber {
    public func lastTaken(now: Int64) -> Int64 { .min }
}

/// Whom a subscriber's messages go to.
public struct SubscriberPeer: Sendable, Equatable {
    /// The number of its connection.
    public var connection: UInt64
    /// `127.0.0.1:50123`.
    public var address: String
    /// `websocket`, `sse` or `poll`.
    public var transport: String

    public init(connection: UInt64, address: String, transport: String) {
        self.connection = connection
        self.address = address
        self.transport = transport
    }
}

/// What a subscriber is told besides events.
public enum SubscriberNotice {
    /// So many of the topic's messages were skipped here; for subscriptions with positions also which.
    case messagesDropped(Topic, count: UInt64, range: ClosedRange<Offset>?)
    /// The topic is gone, and the subscription with it. Everything published before has been delivered. A pattern that
    /// matched it stays, and so does one that waits for the next topic of the name.
    case topicDeleted(Topic, byPattern: Bool, waits: Bool)
    /// The topic that a subscription waited for is there. With `isUnrecovered` it had asked for what came after a
    /// position, and that is gone. Its events follow, from the first one on.
    case topicCreated(Topic, isUnrecovered: Bool)
    /// A subscription did not keep up and has ended; its policy says that the subscriber must go too.
    case slowConsumer(Topic)
    /// A subscription is near the bound at which it will be cut.
    case slowConsumerWarning(Topic, lag: UInt64, queue: Int)
    /// Somebody else has subscribed to the topic, or is gone from it.
    case presence(Topic, hasJoined: Bool, clientID: String)
    /// So many of these were left out because the subscriber took nothing.
    case presenceDropped(Topic, count: UInt64)
    /// Its patterns match more topics than it may have, or more than ``WaitingSubscription/maxLives`` topics of a name
    /// it waits for have gone that it has not been told of; it must go.
    case overloaded
}

/// Who published and was told to wait. Lives on its hub's loop.
public protocol WaitingPublisher: AnyObject {
    /// There may be room now: publish again.
    func publishAgain()
}
