import ApusBroker
import ApusProtocol
import NIOCore

// What HTTP requests have a worker do for them, on the loop of their connection.

extension Workers {
    struct NotOnALoop: Error {}

    /// Publishes all messages or none, and waits as long as publishers have to.
    func publish(
        _ messages: [HTTPPublisher.Message],
        to topicName: String,
        from channel: any Channel
    ) async throws -> HTTPPublisher.Published {
        let promise = channel.eventLoop.makePromise(of: HTTPPublisher.Published.self)
        channel.eventLoop.execute {
            guard let worker = worker(on: channel.eventLoop) else { return promise.fail(NotOnALoop()) }
            let publisher = HTTPPublisher(messages, to: topicName, on: worker, promise: promise)
            publisher.publishAgain()
            guard publisher.isWaiting else { return }
            endWithClient(channel, needsInput: false) { publisher.cancel() }
        }
        return try await promise.futureResult.get()
    }

    /// Returns when the topic has something behind that place, when it is deleted, or after `wait` milliseconds.
    func waitForMessages(
        in topicName: String,
        after start: ReplayStart,
        for wait: Int64,
        on channel: any Channel
    ) async throws {
        let promise = channel.eventLoop.makePromise(of: Void.self)
        channel.eventLoop.execute {
            guard let worker = worker(on: channel.eventLoop) else { return promise.fail(NotOnALoop()) }
            do { try refuseBeyondLimit(worker) } catch { return promise.fail(error) }
            let poll = LongPoll(worker: worker, peer: peer(channel, "poll"), wait: wait, promise: promise)
            worker.add(poll)
            var request = SubscribeRequest(topic: topicName, clientID: "poll", start: start)
            request.overflow = .dropOldest
            request.isAnnounced = false
            do throws(BrokerError) {
                _ = try subscribe(poll, request, on: worker)
                endWithClient(channel, needsInput: true) { poll.end() }
            } catch {
                // Gone since it was looked at: the next look says so.
                poll.end()
            }
        }
        try await promise.futureResult.get()
    }

    /// Opens an event stream with a subscription for each request.
    ///
    /// - Throws: ``Problem`` when one of them is refused; then there is none.
    func openStream(
        _ requests: [SubscribeRequest],
        dialect: Dialect,
        on channel: any Channel
    ) async throws -> EventStreamHandle {
        try await channel.eventLoop.submit {
            guard let worker = worker(on: channel.eventLoop) else { throw NotOnALoop() }
            guard !worker.isDraining else { throw Problem.unavailable("The server is shutting down") }
            try refuseBeyondLimit(worker)
            let isPositioned = requests.count == 1 && !TopicFilter.isPattern(requests[0].topic)
            let stream = EventStream(
                worker: worker,
                dialect: dialect,
                framing: isPositioned ? .eventStreamWithID : .eventStream,
                peer: peer(channel, "sse"),
                close: { channel.close(promise: nil) }
            )
            worker.add(stream)
            do throws(BrokerError) {
                var receipt: SubscribeReceipt?
                for request in requests { receipt = try subscribe(stream, request, on: worker) }
                worker.beginBurst()
                stream.open(at: isPositioned ? receipt : nil, recovery: receipt.map(Self.recovery) ?? "")
            } catch {
                stream.end()
                let text =
                    error.code == .positionInFuture ? "The position is beyond the topic's last offset" : error.message
                throw Problem(error.wireCode, text)
            }
            let bound = NIOLoopBound(stream, eventLoop: channel.eventLoop)
            endWithClient(channel, needsInput: true) { stream.end() }
            return EventStreamHandle(eventLoop: channel.eventLoop, stream: bound)
        }.get()
    }

    private func subscribe(
        _ subscriber: any Subscriber,
        _ request: SubscribeRequest,
        on worker: Worker
    ) throws(BrokerError) -> SubscribeReceipt {
        try worker.hub.subscribe(
            subscriber,
            request,
            defaults: worker.settings.subscription,
            limits: worker.settings.subscriptionLimits
        )
    }

    /// What a stream that could not go on where it was asked to says first.
    private static func recovery(_ receipt: SubscribeReceipt) -> String {
        guard receipt.isRecovered == false else { return "" }
        let topic = String(decoding: receipt.topicJSON, as: UTF8.self)
        let missed = receipt.missed.map { #","missed":{"from":\#($0.lowerBound),"to":\#($0.upperBound)}"# } ?? ""
        let position = #""epoch":"\#(receipt.epoch)","offset":\#(receipt.offset)"#
        return #"{"type":"info","topic":\#(topic),"msg":"not_recovered",\#(position),"recovered":false\#(missed)"#
    }

    /// Calls `end` when the client hangs up before its response is over.
    private func endWithClient(_ channel: any Channel, needsInput: Bool, _ end: @escaping () -> Void) {
        guard channel.isActive,
            let negotiation = try? channel.pipeline.syncOperations.handler(type: NegotiationHandler.self)
        else { return end() }
        negotiation.atWork = NegotiationHandler.AtWork(needsInput: needsInput, end: end)
    }

    /// Streams and requests that wait count as connections.
    private func refuseBeyondLimit(_ worker: Worker) throws(Problem) {
        let limit = worker.settings.maxConnections
        guard open.value + streams.value < limit else {
            throw .unavailable("There are \(limit) connections already, the most allowed")
        }
    }

    private func peer(_ channel: any Channel, _ transport: String) -> SubscriberPeer {
        SubscriberPeer(
            connection: ids.next(),
            address: channel.remoteAddress?.hostAndPort ?? "",
            transport: transport
        )
    }
}

/// An event stream, for the task that writes its response.
struct EventStreamHandle: Sendable {
    let eventLoop: any EventLoop
    let stream: NIOLoopBound<EventStream>

    /// The next bytes of the response; `nil` at its end.
    func next() async throws -> ByteBuffer? {
        try await eventLoop.flatSubmit { stream.value.next() }.get()
    }

    /// The response is over.
    func end() {
        eventLoop.execute { stream.value.end() }
    }
}

extension SocketAddress {
    /// `127.0.0.1:50123` or `[::1]:50123`.
    fileprivate var hostAndPort: String {
        guard let ipAddress, let port else { return description }
        return ipAddress.contains(":") ? "[\(ipAddress)]:\(port)" : "\(ipAddress):\(port)"
    }
}
