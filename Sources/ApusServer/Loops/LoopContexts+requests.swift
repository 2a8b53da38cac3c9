import ApusBroker
import ApusProtocol
import NIOCore

// Work that is done for HTTP requests on the loop of the request's connection.

extension LoopContexts {
    struct NotOnALoop: Error {}

    /// Publishes all messages or none. Waits while publishers are throttled.
    func publish(
        _ messages: [HTTPPublisher.Message],
        to topicName: String,
        for inFlight: InFlightRequest,
        _ access: ClientAccess
    ) async throws -> HTTPPublisher.Published {
        let promise = inFlight.eventLoop.makePromise(of: HTTPPublisher.Published.self)
        inFlight.eventLoop.execute {
            guard let context = context(on: inFlight.eventLoop) else { return promise.fail(NotOnALoop()) }
            let budget =
                context.rates.limitsPublishes
                ? context.budgets.budget(of: .init(access.principal, inFlight.caller)) : nil
            let publisher = HTTPPublisher(messages, to: topicName, budget: budget, on: context, promise: promise)
            publisher.start()
            guard publisher.isWaiting else { return }
            inFlight.endWithClient { publisher.abandon() }
        }
        return try await promise.futureResult.get()
    }

    /// Returns when the topic has a message after `start`, when the topic is deleted, or after `wait` milliseconds.
    func waitForMessages(
        in topicName: String,
        after start: ReplayStart,
        for wait: Int64,
        of inFlight: InFlightRequest,
        _ access: ClientAccess
    ) async throws {
        let promise = inFlight.eventLoop.makePromise(of: Void.self)
        inFlight.eventLoop.execute {
            guard let context = context(on: inFlight.eventLoop) else { return promise.fail(NotOnALoop()) }
            do { try refuseBeyondLimit() } catch { return promise.fail(error) }
            let poll = LongPoll(
                context: context,
                peer: peer(inFlight, "poll"),
                access: access,
                wait: wait,
                promise: promise
            )
            context.add(poll)
            var request = SubscribeRequest(topic: topicName, clientID: "poll", start: start)
            request.overflow = .dropOldest
            request.isAnnounced = false
            do throws(BrokerError) {
                _ = try subscribe(poll, request, on: context)
                inFlight.endWithClient { poll.end() }
            } catch {
                // The topic was deleted after the caller looked it up. The caller's next lookup reports that.
                poll.end()
            }
        }
        try await promise.futureResult.get()
    }

    private func subscribe(
        _ subscriber: any Subscriber,
        _ request: SubscribeRequest,
        on context: LoopContext
    ) throws(BrokerError) -> SubscribeReceipt {
        try context.hub.subscribe(
            subscriber,
            request,
            defaults: context.settings.delivery.subscription,
            limits: context.settings.limits.subscriptions
        )
    }

    /// Refuses the request at the connection limit. Streams and waiting requests count as connections.
    func refuseBeyondLimit() throws(Problem) {
        guard !memory.isFull.isSet else { throw .memoryIsFull }
        let limit = settings.limits.maxConnections
        guard open.value + streams.value < limit else {
            throw .unavailable("The limit of \(counted(limit, "connection")) is reached")
        }
    }

    private func peer(_ inFlight: InFlightRequest, _ transport: String) -> SubscriberPeer {
        SubscriberPeer(
            connection: ids.next(),
            address: inFlight.address,
            transport: transport
        )
    }
}
