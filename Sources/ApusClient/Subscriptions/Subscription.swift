import Synchronization

extension ApusClient {
    /// What one `subscribe` brings: a bounded sequence of events and notices, in the server's order per topic.
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
    /// It is for one consumer. An event counts as handled when the consumer asks for the next; ``position`` is that of
    /// the last one handled, to be kept wherever the consumer keeps what it made of the events. A lost connection does
    /// not end the sequence: what was not received is recovered, each event comes once.
    ///
    /// While the consumer is slow at most ``SubscribeOptions/buffer`` events wait here; then the connection is not
    /// read, which holds up the client's other subscriptions too. A subscription that nobody reads must therefore be
    /// ended: by ``unsubscribe()``, or by letting go of it.
    ///
    /// The sequence ends when the subscription is ended, when its topics are all deleted, and with the client's
    /// closure; it throws what made reconnecting useless.
    public final class Subscription: AsyncSequence, Sendable {
        public typealias Element = Delivery
        public typealias Failure = ClientError

        /// What was subscribed to: names and patterns.
        public let topics: [String]
        private let client: ApusClient
        private let buffer: EventBuffer
        /// Where its feeds are, until it ends.
        private let places: Mutex<[Place]>

        /// Some of its feeds, in the session that has them.
        struct Place: Sendable {
            let session: SubscriptionSession
            let filters: [TopicFilter]
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

        /// The position after the last event handled, which a later ``Start/after(_:)`` goes on from.
        ///
        /// Before the first event it is where the subscription began, so it is of use at once. Nil for a pattern, for
        /// several topics, and of a server without positions.
        public var position: Position? {
            topics.count == 1 ? buffer.positions[0] : nil
        }

        /// By topic: the position after its last event handled.
        public var positions: [String: Position] {
            var positions: [String: Position] = [:]
            for (topic, position) in zip(topics, buffer.positions) { positions[topic] = position }
            return positions
        }

        /// The next event or notice; nil at the end. What was taken before counts as handled.
        public func next() async throws(ClientError) -> Delivery? {
            try await buffer.take(limit: 1).first
        }

        /// Waits for events and notices and takes those that are there, at most `limit`; none at the end. All that was
        /// taken before counts as handled.
        public func nextBatch(limit: Int = 64) async throws(ClientError) -> [Delivery] {
            try await buffer.take(limit: Swift.max(1, limit))
        }

        /// Counts what was taken as handled without asking for more, so that ``position`` is after it.
        public func markHandled() {
            buffer.handleTaken()
        }

        /// Ends the subscription at the server. What has arrived can still be taken.
        public func unsubscribe() async {
            buffer.finish()
            await client.end(takePlaces())
        }

        public func makeAsyncIterator() -> Iterator {
            Iterator(subscription: self)
        }

        /// The loop over the subscription.
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
