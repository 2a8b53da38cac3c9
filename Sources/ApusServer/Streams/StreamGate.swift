import ApusAccess
import ApusBroker
import ApusProtocol
import ApusSockets
import ApusTLS
import HTTPTypes
import NIOCore

/// Opens event streams. A well-formed request that comes first on its connection is handled at the listener; other
/// requests come here from the router.
struct StreamGate: Sendable {
    let contexts: LoopContexts
    let socketLoops: SocketLoops
    let access: AccessControl
    let addresses: ClientAddresses
    let log: RequestLog
    let basePath: BasePath

    /// A gate for the same clients, onto the same loops.
    init(beside gate: WebSocketGate, log: RequestLog) {
        contexts = gate.contexts
        socketLoops = gate.socketLoops
        access = gate.access
        addresses = gate.addresses
        basePath = gate.basePath
        self.log = log
    }

    // MARK: At the listener

    /// Opens the stream that a complete request head asks for.
    ///
    /// - Returns: a stream that waits for its socket, with the head of its response written. `nil` if the router must
    ///   answer: another path, a refusal, anything out of the ordinary.
    func open(_ head: RequestHead, from connection: Caller, on context: LoopContext, poller: Poller) -> EventStream? {
        guard let match = basePath.endpoint(at: head.path), match.endpoint.kind == .eventStream,
            !["content-length", "transfer-encoding", "expect", "upgrade"].contains(where: { head.headers[$0] != nil }),
            // The answer to a page of another origin needs more fields.
            head.headers["origin"] == nil, head.headers["sec-fetch-site"] != SitePolicy.anotherSite,
            connection.isOnUnixSocket || contexts.inForce.sites.answers(to: head.headers["host"] ?? ""),
            let client = access(of: head, from: connection),
            let request = try? StreamRequest(
                match,
                query: head.query,
                lastEventID: head.headers["last-event-id"],
                settings: contexts.settings
            )
        else { return nil }
        // With several subscriptions, some would have started before one is refused.
        guard request.subscriptions.count == 1 else { return nil }
        // The router waits for what this node may not know yet.
        guard !request.subscriptions.contains(where: { context.broker.mayBeBehind($0.topic, $0.start) }) else {
            return nil
        }
        var caller = addresses.caller(of: connection, forwardedFor: head.headers[ForwardedFor.name])
        guard (try? addresses.admit(&caller)) != nil else { return nil }
        return try? open(request, for: client, caller, on: context, poller: poller, writesHead: true)
    }

    /// What a client may do; `nil` if the router must find that out.
    private func access(of head: RequestHead, from connection: Caller) -> ClientAccess? {
        guard !access.isOpen else { return .unlimited }
        let credentials = Credentials(query: head.query, certificateName: connection.commonName) { head.headers[$0] }
        return access.admitAtOnce(credentials)?.access
    }

    // MARK: Behind the router

    /// Opens a stream on one of the socket loops. The stream gets its socket later.
    ///
    /// - Parameter fields: which pages may read the response.
    /// - Throws: ``Problem`` if a subscription is refused. Then there is no stream.
    func open(
        _ request: StreamRequest,
        for client: ClientAccess,
        _ caller: Caller,
        sharing fields: [(HTTPField.Name, String)]
    ) async throws -> OpenStream {
        let loop = socketLoops.next()
        let opened = loop.makePromise(of: NIOLoopBound<EventStream>.self)
        loop.withPoller { poller in
            opened.completeWith(
                Result {
                    guard let context = contexts.context(on: loop) else { throw LoopContexts.NotOnALoop() }
                    let stream = try open(request, for: client, caller, on: context, poller: poller, writesHead: false)
                    return NIOLoopBound(stream, eventLoop: loop)
                }
            )
        }
        return OpenStream(
            stream: try await opened.futureResult.get(),
            head: Self.head(fields),
            loop: loop,
            sockets: contexts.sockets
        )
    }

    // MARK: Opening

    private func open(
        _ request: StreamRequest,
        for client: ClientAccess,
        _ caller: Caller,
        on context: LoopContext,
        poller: Poller,
        writesHead: Bool
    ) throws(Problem) -> EventStream {
        guard !contexts.isDraining.isSet else { throw .unavailable("The server is shutting down") }
        try contexts.refuseBeyondLimit()
        let subscriptions = try request.permitted(to: client)
        let stream = EventStream(
            id: contexts.ids.next(),
            dialect: request.dialect,
            isPositioned: request.isPositioned,
            access: client,
            caller: caller,
            context: context,
            poller: poller
        )
        context.add(stream)
        do throws(BrokerError) {
            var receipts: [SubscribeReceipt] = []
            for subscription in subscriptions {
                let receipt = try context.hub.subscribe(
                    stream,
                    subscription,
                    defaults: context.settings.delivery.subscription,
                    limits: context.settings.limits.subscriptions
                )
                receipts.append(receipt)
            }
            context.beginBurst()
            if writesHead { stream.deliver(Self.head(contexts.inForce.sites.sharing(with: nil, host: nil))) }
            let start = request.isPositioned ? receipts.first.flatMap(\.position) : nil
            stream.open(at: start, telling: receipts.compactMap(\.news))
            return stream
        } catch {
            stream.end()
            let isBeyond = error.code == .positionInFuture
            let text = isBeyond ? "The position is beyond the topic's last offset" : error.message
            throw Problem(error.wireCode, text)
        }
    }

    /// The head of a stream's response. The body ends with the connection.
    ///
    /// - Parameter fields: which pages may read it.
    private static func head(_ fields: [(HTTPField.Name, String)]) -> ByteBuffer {
        var text = "HTTP/1.1 200 OK\r\n"
        for (name, value) in StreamRequest.headers { text += "\(name): \(value)\r\n" }
        for (name, value) in fields { text += "\(name.rawName): \(value)\r\n" }
        text += "Connection: close\r\nDate: \(httpDate())\r\n\r\n"
        return ByteBuffer(string: text)
    }
}

extension SubscribeReceipt {
    /// Where a client can resume from; `nil` while the topic does not exist.
    fileprivate var position: String? { isWaiting ? nil : "\(epoch):\(offset)" }

    /// The first info of a stream: that it waits, or that it could not resume at the requested position.
    fileprivate var news: InfoMessage? {
        if isWaiting { return .waiting(topicJSON: topicJSON) }
        guard isRecovered == false else { return nil }
        return .notRecovered(topicJSON: topicJSON, epoch: epoch, offset: offset, missed: missed)
    }
}

/// A stream whose socket still belongs to a channel. Call exactly one of ``start(on:)`` and ``cancel()``.
struct OpenStream: Sendable {
    fileprivate let stream: NIOLoopBound<EventStream>
    /// The head of its response.
    let head: ByteBuffer
    fileprivate let loop: SocketLoop
    fileprivate let sockets: SocketBudget

    /// Gives the stream its socket. The head of the response must already be sent.
    func start(on transport: DetachedTransport) {
        sockets.take()
        loop.execute {
            let stream = stream.value
            stream.start(on: transport.attached(stream.context.tls.buffers), nil)
        }
    }

    func cancel() {
        loop.execute { stream.value.end() }
    }
}
