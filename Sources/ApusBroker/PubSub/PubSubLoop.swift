import ApusProtocol
import NIOConcurrencyHelpers
import NIOCore

/// The hub of a ``PubSub`` with its subscribers and publishers. The actor runs their work one at a time.
actor PubSubLoop {
    /// Work that other threads hand to the loop.
    enum Work: Sendable {
        /// The subscriber with this id accepts data again.
        case resume(UInt64)
        /// Nobody reads from the subscriber with this id any more.
        case end(UInt64)
        /// The task that waits to publish was cancelled.
        case cancelPublish(UInt64)
    }

    nonisolated let inbox = NIOLockedValueBox<[Work]>([])
    private let hub: Hub
    private let clock: @Sendable () -> Moment
    private var subscribers: [UInt64: LocalSubscriber] = [:]
    private var publishers: [UInt64: LocalPublisher] = [:]
    private var lastID: UInt64 = 0
    private let over = EndedSubscribers()

    /// Creates the loop and its hub.
    ///
    /// - Parameter ring: makes ``turn()`` run soon.
    init(broker: any Broker, clock: @escaping @Sendable () -> Moment, ring: @escaping @Sendable () -> Void) {
        self.clock = clock
        hub = Hub(broker: broker, mailbox: HubMailbox(schedule: ring), clock: clock)
    }

    var passed: Int64 { clock().steady }

    // MARK: Turns

    func turn() {
        let work = inbox.withLockedValue { work in
            defer { work = [] }
            return work
        }
        for work in work {
            switch work {
            case .resume(let id): subscribers[id].map { hub.resume($0) }
            case .end(let id): end(id)
            case .cancelPublish(let id): publishers.removeValue(forKey: id)?.cancel()
            }
        }
        hub.turn()
        for id in over.take() { subscribers[id] = nil }
    }

    func tick(_ options: PubSub.Options) {
        let now = Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000)
        hub.endBursts()
        hub.passOverStuckLoops(timeout: options.liveTimeout.wholeMilliseconds)
        if options.throttleTimeout > .zero {
            hub.cutStalled(now: now, timeout: options.throttleTimeout.wholeMilliseconds)
        }
    }

    /// Ends all remaining subscriptions.
    func close() {
        // There will be no other turn.
        hub.limits = .none
        turn()
        for id in Array(subscribers.keys) { end(id) }
    }

    private func end(_ id: UInt64) {
        guard let subscriber = subscribers.removeValue(forKey: id) else { return }
        hub.removeAll(of: subscriber)
        subscriber.buffer.append(.end(nil))
    }

    func report() -> HubCounters { hub.report() }
    func totals() -> HubCounters { hub.totals() }

    func subscriptionReports(
        of topic: Topic?,
        order: Hub.ReportOrder,
        limit: Int,
        search: TextSearch?,
        isVisible: @Sendable (String) -> Bool
    ) -> ([SubscriptionReport], gone: [SubscriptionReport]) {
        (
            hub.subscriptionReports(of: topic, order: order, limit: limit, search: search, isVisible: isVisible),
            hub.goneReports(search: search, isVisible: isVisible)
        )
    }

    func trace(_ message: TracedMessage, of topic: Topic, limit: Int) -> TraceReport {
        hub.trace(message, of: topic, limit: limit)
    }

    // MARK: Subscribing

    func subscribe(
        _ request: SubscribeRequest,
        _ options: PubSub.Options,
        origin: UInt32,
        buffer: DeliveryBuffer
    ) throws(BrokerError) -> (id: UInt64, receipt: SubscribeReceipt) {
        guard subscribers.count < options.maxSubscriptions else {
            throw BrokerError(
                .tooManySubscriptions,
                "The limit of \(counted(options.maxSubscriptions, "subscription")) is reached"
            )
        }
        lastID += 1
        let subscriber = LocalSubscriber(id: lastID, origin: origin, hub: hub, buffer: buffer, over: over)
        let receipt: SubscribeReceipt
        do throws(BrokerError) {
            receipt = try hub.subscribe(
                subscriber,
                request,
                defaults: SubscriptionOptions(queue: options.queue, overflow: options.overflow),
                limits: Hub.SubscriptionLimits(subscriptions: 1)
            )
        } catch {
            // A part of a pattern may have been placed.
            hub.removeAll(of: subscriber)
            throw error
        }
        subscribers[lastID] = subscriber
        subscriber.begin(request.topic, receipt)
        return (lastID, receipt)
    }

    // MARK: Publishing

    /// Publishes. First waits for throttling subscriptions and for loops that are behind.
    ///
    /// - Parameter id: identifies the publish for ``Work/cancelPublish(_:)``.
    func publish(_ messages: LocalPublisher.Messages, origin: UInt32, id: UInt64) async throws(BrokerError)
        -> PubSub.Outcome
    {
        let result = await withCheckedContinuation { done in
            let publisher = LocalPublisher(messages, origin: origin, hub: hub, clock: clock) { result in
                self.publishers[id] = nil
                done.resume(returning: result)
            }
            publishers[id] = publisher
            if Task.isCancelled { publishers.removeValue(forKey: id)?.cancel() } else { publisher.publishAgain() }
        }
        return try result.get()
    }
}
