public import ApusProtocol
import FoundationEssentials

extension PubSub {
    /// How to subscribe.
    public struct SubscribeOptions: Sendable {
        let clientID: String?
        let start: Start
        let queue: Int?
        let overflow: OverflowPolicy?
        let echo: Bool
        let hasPresence: Bool
        let waitsForTopic: Bool
        let createsTopic: Bool
        let buffer: Int

        /// Creates default options, except for the given values.
        ///
        /// - Parameters:
        ///   - clientID: identifies the subscriber to others; `nil` for a new UUID.
        ///   - start: where the subscription starts.
        ///   - queue: how many messages it may lag behind; `nil` for the topic's setting or else the default.
        ///   - overflow: what happens beyond that lag; `nil` for the topic's setting or else the default.
        ///   - echo: whether it receives what this ``PubSub`` itself publishes.
        ///   - hasPresence: whether it is told about other subscribers that join and leave.
        ///   - waitsForTopic: whether to wait for a topic that does not exist, and for the next topic of that name
        ///     after a deletion.
        ///   - createsTopic: whether to create a topic that does not exist.
        ///   - buffer: bytes of events buffered before they are read. Later events wait in the topic's log and count as
        ///     lag.
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

    /// Where a subscription to a topic starts.
    public enum Start: Sendable, Hashable {
        /// Only messages published from now on.
        case live
        /// Also the last messages before now, as far as history has them.
        case last(Int)
        /// The messages after this position, for example after the last handled message.
        ///
        /// If some of them are gone, the first delivery is a notice with a ``Gap``.
        case after(Position)
        /// The messages published this long ago or later.
        case age(Duration)
        /// The messages published at this time or later; RFC 3339 text.
        case time(String)
        /// All messages in the history.
        case all

        var replay: ReplayStart {
            get throws(BrokerError) {
                switch self {
                case .live: return .lastN(0)
                case .last(let count): return .lastN(max(count, 0))
                case .after(let position): return .position(epoch: position.epoch, offset: position.offset)
                case .age(let age): return .age(age.wholeMilliseconds)
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

    /// Subscribes to a topic, or to all topics that match a pattern such as `orders.*` or `orders.>`.
    ///
    /// The subscription first replays earlier messages as the options say. New messages follow, without gaps or
    /// duplicates.
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
            queue: options.queue.map(PubSub.Options.clampedQueue),
            overflow: options.overflow,
            detail: .positioned,
            echo: options.echo,
            presence: options.hasPresence
        )
        request.waits = options.waitsForTopic
        request.makesTopic = options.createsTopic
        try options.refuseForPattern(topic)
        if core.broker.mayBeBehind(topic, request.start) {
            try await core.broker.catchUp(on: [topic])
            if request.makesTopic { try await core.broker.findOrCreate(named: topic) }
        }
        core.start()
        let buffer = DeliveryBuffer(limit: options.buffer)
        let (id, receipt) = try await core.loop.subscribe(request, core.options, origin: core.origin, buffer: buffer)
        return Subscription(topic: topic, id: id, receipt: receipt, buffer: buffer, core: core)
    }

    /// A subscription, as a sequence of events and notices.
    ///
    /// The sequence ends on ``cancel()``, and when its topic is deleted, unless it is for a pattern or waits for the
    /// topic. The subscription also ends when nobody holds it any more. Use one reader: if two read, each gets a part.
    ///
    /// Reading throws ``BrokerError`` `.slowConsumer` if the subscription was behind by more than its queue under
    /// ``OverflowPolicy/disconnect``.
    public final class Subscription: AsyncSequence, AsyncIteratorProtocol, Sendable {
        public typealias Failure = BrokerError

        /// The position before the first event; `nil` for a pattern, and while the subscription waits for its topic.
        public let position: Position?
        private let id: UInt64
        private let buffer: DeliveryBuffer
        private let core: PubSubCore

        init(topic: String, id: UInt64, receipt: SubscribeReceipt, buffer: DeliveryBuffer, core: PubSubCore) {
            self.id = id
            self.buffer = buffer
            self.core = core
            let hasPosition = !receipt.isWaiting && !TopicFilter.isPattern(topic)
            position = hasPosition ? Position(epoch: receipt.epoch, offset: receipt.offset) : nil
            buffer.whenThereIsRoom { [weak core] in core?.post(.resume(id)) }
        }

        deinit {
            core.post(.end(id))
        }

        /// Unsubscribes. Events delivered before can still be read; then the sequence ends.
        public func cancel() {
            core.post(.end(id))
        }

        /// Waits for the next delivery. Returns `nil` at the end, and when the task is cancelled.
        ///
        /// - Throws: ``BrokerError`` `.slowConsumer` or `.tooManySubscriptions`.
        public func next() async throws(BrokerError) -> Delivery? { try await buffer.next() }

        public func makeAsyncIterator() -> Subscription { self }
    }
}

extension PubSub.SubscribeOptions {
    /// A pattern's subscription can neither resume nor wait, and creates no topic.
    ///
    /// - Throws: ``BrokerError`` `.badRequest`.
    fileprivate func refuseForPattern(_ topic: String) throws(BrokerError) {
        guard TopicFilter.isPattern(topic) else { return }
        switch start {
        case .live, .last: break
        case .after, .age, .time, .all:
            throw BrokerError(.badRequest, "A pattern starts live, or with the last messages")
        }
        guard !waitsForTopic, !createsTopic else {
            throw BrokerError(
                .badRequest,
                "A pattern waits for no topic and creates none: it has every one that matches"
            )
        }
    }
}
