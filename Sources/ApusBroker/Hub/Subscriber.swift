public import ApusProtocol
public import NIOCore

/// Who owns subscriptions and is written to: a WebSocket connection, or a test's double. Lives on its hub's loop.
public protocol Subscriber: AnyObject {
    /// The dialect its events are in.
    var dialect: Dialect { get }
    /// Whether it takes more now. When it does again after it did not, it calls ``Hub/resume(_:)``.
    var isWritable: Bool { get }
    /// All its subscriptions; only the hub changes them.
    var subscriptions: SubscriptionSet { get set }

    /// Takes whole frames. They may wait until ``flush()``.
    func deliver(_ frames: ByteBuffer)
    /// Sends what was delivered. The hub calls it at the end of a turn for who asked with ``Hub/flushLater(_:)``, and in the
    /// midst of a delivery to find out whether that makes room.
    func flush()
    /// Takes note of something that has its place in the order of the events.
    func notify(_ notice: SubscriberNotice)
}

/// What a subscriber is told besides events.
public enum SubscriberNotice {
    /// So many of the topic's messages were skipped here.
    case messagesDropped(Topic, count: UInt64)
    /// The topic is gone, and the subscription with it. Everything published before has been delivered.
    case topicDeleted(Topic)
    /// A subscription did not keep up and has ended; its policy says that the subscriber must go too.
    case slowConsumer(Topic)
}

/// Who published and was told to wait. Lives on its hub's loop.
public protocol WaitingPublisher: AnyObject {
    /// There may be room now: publish again.
    func publishAgain()
}
