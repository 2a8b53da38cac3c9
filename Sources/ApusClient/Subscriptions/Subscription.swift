import ApusProtocol
import Synchronization

extension ApusClient {
    /// A bounded sequence of events and notices from one `subscribe`, in the server's order per topic.
    ///
    /// ```swift
    /// for try await delivery in subscription {
    ///     switch delivery {
    ///     case .event(let event): try await store(event.payload)
    ///     case .notice(let notice): log(notice)
    ///     }
    /// }
    /// ```
    ///
    /// A subscription is for one consumer. An event counts as handled when the consumer asks for the next one.
    /// ``position`` is the position of the last handled event: store it together with what you derive from the events.
    /// A lost connection does not end the sequence: the client recovers what it did not receive, and each event comes
    /// once.
    ///
    /// While the consumer is slow, at most ``SubscribeOptions/buffer`` events wait here. Then the client stops reading
    /// the connection, which also holds up its other subscriptions. So end a subscription that nobody reads: call
    /// ``unsubscribe()``, or release the subscription.
    ///
    /// The sequence ends when the subscription ends, when all its topics are deleted, and when the client's closure
    /// ends. It throws the error that makes reconnecting useless.
    public final class Subscription: AsyncSequence, Sendable {
        public typealias Element = Delivery
        public typealias Failure = ClientError

        /// The subscribed names and patterns.
        public let topics: [String]
        private let client: ApusClient
        private let buffer: EventBuffer
        /// The sessions that have this subscription's feeds; empty after the end.
        private let places: Mutex<[Place]>

        /// The feeds of this subscription in one session.
        struct Place: Sendable {
            let session: SubscriptionSession
            let filters: [TopicSelection]
            var keys: [SubscriptionSession.Key] = []
        }

        init(client: ApusClient, topics: [String], buffer: EventBuffer, places: [Place]) {
            self.client = client
            self.topics = topics
            self.buffer = buffer
            self.places = Mutex(places)
        }

        deinit {
            buffer.abandon()
            client.endSoon(takePlaces())
        }

        private func takePlaces() -> [Place] {
            places.withLock { places in
                defer { places = [] }
                return places
            }
        }

        /// The position after the last handled event. A later subscription resumes there with ``Start/after(_:)``.
        ///
        /// Before the first event, this is where the subscription started, so it is usable at once. `nil` for a
        /// pattern, for several topics, and if the server does not support positions.
        public var position: Position? {
            topics.count == 1 ? buffer.positions[0] : nil
        }

        /// The position after the last handled event of each topic.
        public var positions: [String: Position] {
            var positions: [String: Position] = [:]
            for (topic, position) in zip(topics, buffer.positions) { positions[topic] = position }
            return positions
        }

        /// The next event or notice; `nil` at the end. Deliveries taken before count as handled.
        public func next() async throws(ClientError) -> Delivery? {
            try await buffer.take(limit: 1).first
        }

        /// Waits for deliveries and takes at most `limit` of them; returns none at the end. Deliveries taken before
        /// count as handled.
        public func nextBatch(limit: Int = 64) async throws(ClientError) -> [Delivery] {
            try await buffer.take(limit: Swift.max(1, limit))
        }

        /// Marks the taken deliveries as handled without asking for more. ``position`` is then after them.
        public func markHandled() {
            buffer.handleTaken()
        }

        /// Ends the subscription on the server. The consumer can still take what has arrived.
        public func unsubscribe() async {
            buffer.finish()
            await client.end(takePlaces())
        }

        public func makeAsyncIterator() -> Iterator {
            Iterator(subscription: self)
        }

        /// The iterator over the subscription.
        public struct Iterator: AsyncIteratorProtocol {
            fileprivate let subscription: Subscription

            public mutating func next() async throws(ClientError) -> Delivery? {
                try await subscription.next()
            }

            public mutating func next(
                isolation actor: isolated (any Actor)?
            ) async throws(ClientError) -> Delivery? {
                try await subscription.next()
            }
        }
    }
}
