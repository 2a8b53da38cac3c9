public import ApusProtocol
import FoundationEssentials

extension PubSub {
    /// How to subscribe.
    public struct SubscribeOptions: Sendable {
        /// By what other subscribers know it; distinct for each where none is given.
        public var clientID: String?
        /// From where on.
        public var start: Start
        /// Messages that it may lag behind; the topic's or the default where none is given.
        public var queue: Int?
        /// What happens beyond that.
        public var overflow: OverflowPolicy?
        /// Whether what this very ``PubSub`` publishes is delivered to it.
        public var echo: Bool
        /// Whether it is told of other subscribers that come and go.
        public var hasPresence: Bool
        /// Whether it waits for a topic that is not there, and for the next one of that name when that is deleted.
        public var waitsForTopic: Bool
        /// Whether a topic that is not there is created.
        public var createsTopic: Bool
        /// Bytes of events that it has before it has read them; what comes after that waits in the topic's log and
        /// counts as lag.
        public var buffer: Int

        public init(
            clientID: String? = nil,
            start: Start = .live,
            queue: Int? = nil,
            overflow: OverflowPolicy? = nil,
            echo: Bool = true,
            hasPresence: Bool = false,
            waitsForTopic: Bool = false,
            createsTopic: Bool = false,
            buffer: Int = 64 << 10
        ) {
            self.clientID = clientID
            self.start = start
            self.queue = queue
            self.overflow = overflow
            self.echo = echo
            self.hasPresence = hasPresence
            self.waitsForTopic = waitsForTopic
            self.createsTopic = createsTopic
            self.buffer = max(buffer, 1)
        }
    }

    /// From where on a subscription has its topic's messages.
    public enum Start: Sendable, Hashable {
        /// Those that are published from now on.
        case live
        /// So many before, as far as history has them.
        case last(Int)
        /// Those behind a message that was handled.
        case after(Position)
        /// Those that were published so long ago or later.
        case age(Duration)
        /// Those that were published then or later: RFC 3339 text.
        case time(String)
        /// All that history has.
        case all

        var replay: ReplayStart {
            get throws(BrokerError) {
                switch self {
                case .live: return .lastN(0)
                case .last(let count): return .lastN(max(count, 0))
                case .after(let position): return .position(epoch: position.epoch, offset: position.offset)
                case .age(let age): return .age(age.inMilliseconds)
                case .all: return .all
                case .time(let text):
                    guard let time = Timestamp.milliseconds(rfc3339: text) else {
                        throw BrokerError(.badRequest, "'\(text)' is no RFC 3339 time")
                    }
                    return .time(time)
                }
            }
        }
    }

    /// Subscribes to a topic, or to all topics that match a pattern: `orders.*`, `orders.>`.
    ///
    /// What was published before is replayed as the options say, and is followed by what comes, without gap or double.
    ///
    /// - Throws: ``BrokerError`` `.topicNotFound`, `.nameNotAllowed`, `.filterNotAllowed`, `.positionInFuture`,
    ///   `.badRequest`, `.tooManySubscriptions` or `.tooManyTopics`.
    public func subscribe(
        _ topic: String,
        _ options: SubscribeOptions = SubscribeOptions()
    ) async throws(BrokerError) -> Subscription {
        var request = SubscribeRequest(
            topic: topic,
            clientID: options.clientID ?? UUID().uuidString.lowercased(),
            start: try options.start.replay,
            queue: options.queue.map { max($0, 1) },
            overflow: options.overflow,
            detail: .positioned,
            echo: options.echo,
            presence: options.hasPresence
        )
        request.waits = options.waitsForTopic
        request.makesTopic = options.createsTopic
        core.start()
        let buffer = DeliveryBuffer(limit: options.buffer)
        let (id, receipt) = try await core.loop.subscribe(request, core.options, origin: core.origin, buffer: buffer)
        return Subscription(topic: topic, id: id, receipt: receipt, buffer: buffer, core: core)
    }

    /// What was subscribed to, as a sequence of events and notices.
    ///
    /// Ends when its topic is deleted, by ``cancel()``, or when nobody holds it any more. Throws ``BrokerError``
    /// `.slowConsumer` where it was behind by more than its queue under ``OverflowPolicy/disconnect``. It is for one
    /// reader: of two, each gets a part.
    public final class Subscription: AsyncSequence, Sendable {
        public typealias Element = Delivery
        public typealias Failure = BrokerError

        /// The topic or the pattern.
        public let topic: String
        /// What comes is behind this; `nil` for a pattern, and while a topic is waited for.
        public let position: Position?
        /// For who asked for what comes after a position: whether all of that follows.
        public let isRecovered: Bool?
        /// What came after that position and is gone.
        public let missed: ClosedRange<Offset>?
        private let id: UInt64
        private let buffer: DeliveryBuffer
        private let core: PubSubCore

        init(topic: String, id: UInt64, receipt: SubscribeReceipt, buffer: DeliveryBuffer, core: PubSubCore) {
            self.topic = topic
            self.id = id
            self.buffer = buffer
            self.core = core
            let hasPosition = !receipt.isWaiting && !TopicFilter.isPattern(topic)
            position = hasPosition ? Position(epoch: receipt.epoch, offset: receipt.offset) : nil
            isRecovered = receipt.isRecovered
            missed = receipt.missed
            buffer.whenThereIsRoom { [weak core] in core?.post(.resume(id)) }
        }

        deinit {
            core.post(.end(id))
        }

        /// Unsubscribes. What was delivered before can still be read, and then the sequence ends.
        public func cancel() {
            core.post(.end(id))
        }

        /// The next delivery, once there is one; `nil` at the end, and when the task is cancelled.
        public func next() async throws(BrokerError) -> Delivery? { try await buffer.next() }

        public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(subscription: self) }

        public struct AsyncIterator: AsyncIteratorProtocol {
            fileprivate let subscription: Subscription

            public func next() async throws(BrokerError) -> Delivery? {
                try await subscription.next()
            }

            public func next(isolation actor: isolated (any Actor)?) async throws(BrokerError) -> Delivery? {
                try await subscription.next()
            }
        }
    }
}
