extension ApusClient.Subscription {
    /// The events alone. The closure gets each notice, in order between the events.
    ///
    /// ```swift
    /// for try await event in subscription.events(onNotice: { log($0) }) { … }
    /// ```
    public func events(onNotice: @escaping @Sendable (ApusClient.Notice) async -> Void) -> Events {
        Events(subscription: self, onNotice: onNotice)
    }

    /// The events of a subscription. A closure handles the notices.
    public struct Events: AsyncSequence, Sendable {
        public typealias Element = ApusClient.Event
        public typealias Failure = ClientError

        fileprivate let subscription: ApusClient.Subscription
        fileprivate let onNotice: @Sendable (ApusClient.Notice) async -> Void

        fileprivate func next() async throws(ClientError) -> ApusClient.Event? {
            while let delivery = try await subscription.next() {
                switch delivery {
                case .event(let event): return event
                case .notice(let notice): await onNotice(notice)
                }
            }
            return nil
        }

        public func makeAsyncIterator() -> Iterator {
            Iterator(events: self)
        }

        /// The iterator over the events.
        public struct Iterator: AsyncIteratorProtocol {
            fileprivate let events: Events

            public mutating func next() async throws(ClientError) -> ApusClient.Event? {
                try await events.next()
            }

            public mutating func next(
                isolation actor: isolated (any Actor)?
            ) async throws(ClientError) -> ApusClient.Event? {
                try await events.next()
            }
        }
    }
}
