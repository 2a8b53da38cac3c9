import ApusProtocol
import Synchronization

/// A client of an Apus server that reconnects after lost connections.
///
/// ```swift
/// try await ApusClient.withConnection(to: ServerAddress("http://localhost:8080")) { client in
///     let subscription = try await client.subscribe("orders")
///     try await client.publish("orders", JSONText(unchecked: #"{"id":1}"#))
///     for try await delivery in subscription {
///         print(delivery)
///     }
/// }
/// ```
///
/// A client exists inside a closure. When the closure ends, the client's connections, subscriptions and unanswered
/// publishes end too. Inside the closure, any task may use the client. Subscriptions share one connection, or several
/// if their topics overlap. Publishes use a separate connection, so that acks arrive even while a slow consumer holds
/// up the events. The client opens each connection when it is first needed, and reconnects when it is lost.
///
/// ```
///   withConnection { … }                     ApusClient
///     │  subscribe   ┌───────────────────────────┴────────────────────────────┐   publish
///     ▼              ▼                                                        ▼
///   Subscription ◀ EventBuffer ◀ Feed ◀ SubscriptionSession        PublishSession ◀ PublishQueue
///                  bounded              │ reconnecting transport   │ (likewise)   bounded
///                                       └────────── WebSocket ─────┘
/// ```
public final class ApusClient: Sendable {
    typealias Job = @Sendable () async -> Void

    private struct State {
        var registry = SessionRegistry()
        var isClosed = false
    }

    /// The address of the server: of several, of the one that the last connection was made to, or the next one will be.
    public var address: ServerAddress { transport.servers.current }
    /// The client's subscriber name on the server.
    public let clientID: String
    let publisher: PublishSession
    private let transport: ReconnectingTransport
    private let state = Mutex(State())
    /// Jobs that run in the client's task group.
    private let jobs: AsyncStream<Job>.Continuation

    init(transport: ReconnectingTransport, jobs: AsyncStream<Job>.Continuation) {
        clientID = transport.options.clientID ?? "swift-\(String(UInt32.random(in: .min ... .max), radix: 16))"
        publisher = PublishSession(transport: transport) { session in
            jobs.yield { await session.run() }
        }
        self.transport = transport
        self.jobs = jobs
    }

    /// Connects to a server, runs `body` with a client, and closes everything when `body` ends.
    ///
    /// Throws the errors of `body`. Also throws the error of the first connection attempt (`unreachable`, `timedOut`,
    /// `unauthorized`, `refused`), unless ``Options/requiresConnection`` is off. Connections that are lost later are
    /// reopened as ``Options/reconnect`` says.
    ///
    /// - Parameters:
    ///   - address: the server's address and dialect; ``withConnection(toAnyOf:options:isolation:_:)`` takes several.
    ///   - options: the API key, the limits, and the reconnect policy.
    ///   - isolation: the isolation that `body` runs in; by default the caller's.
    ///   - body: uses the client.
    public static func withConnection<Result: Sendable>(
        to address: ServerAddress,
        options: Options = Options(),
        isolation: isolated (any Actor)? = #isolation,
        _ body: (ApusClient) async throws -> Result
    ) async throws -> Result {
        let transport = ReconnectingTransport(servers: [address], options: options, environment: .init())
        return try await withConnection(transport, isolation: isolation, body)
    }

    /// The same with several servers, of which the client uses one at a time.
    ///
    /// It begins with the first. When a server cannot be reached, takes no clients now, or says that it goes away, the
    /// client moves on to the next one, and after the last one to the first. It tries all of them before it waits, and
    /// ``ReconnectPolicy`` counts such rounds. A connection that breaks is made again to the same server, if that can
    /// be reached.
    ///
    /// Subscriptions take their positions along. A server that does not have them, because it shares no messages with
    /// the one before, replays what it has, and the subscription gets a gap. Publishes that were not acknowledged are
    /// sent again with the same ids; the server before may have them, too.
    ///
    /// - Parameter servers: at least one, all with the same credential and dialect.
    public static func withConnection<Result: Sendable>(
        toAnyOf servers: [ServerAddress],
        options: Options = Options(),
        isolation: isolated (any Actor)? = #isolation,
        _ body: (ApusClient) async throws -> Result
    ) async throws -> Result {
        guard !servers.isEmpty else { throw ClientError(.badAddress, "there is no server in the list") }
        let transport = ReconnectingTransport(servers: servers, options: options, environment: .init())
        return try await withConnection(transport, isolation: isolation, body)
    }

    static func withConnection<Result: Sendable>(
        _ transport: ReconnectingTransport,
        isolation: isolated (any Actor)? = #isolation,
        _ body: (ApusClient) async throws -> Result
    ) async throws -> Result {
        if transport.options.requiresConnection { transport.spare.put(try await transport.connectToAny()) }
        let (jobs, continuation) = AsyncStream.makeStream(of: Job.self)
        let client = ApusClient(transport: transport, jobs: continuation)
        return try await withThrowingTaskGroup(of: Void.self, isolation: isolation) { group in
            group.addTask {
                await withDiscardingTaskGroup { sessions in
                    for await job in jobs { sessions.addTask { await job() } }
                }
                // Sessions that have not started yet never will.
                for session in client.state.withLock({ $0.registry.sessions }) { await session.finish(.clientClosed) }
                if let spare = transport.spare.take() { await transport.close(spare.connection) }
            }
            defer {
                client.close()
                group.cancelAll()
            }
            return try await body(client)
        }
    }

    private func close() {
        state.withLock { $0.isClosed = true }
        publisher.close()
        jobs.finish()
    }

    // MARK: Sessions

    /// Assigns each subscription to a session, and starts new sessions. Returns each session with the indices of its
    /// subscriptions.
    func assign(
        _ filters: [TopicSelection]
    ) throws(ClientError) -> [(session: SubscriptionSession, indices: [Int])] {
        var assigned: [(session: SubscriptionSession, indices: [Int])] = []
        var started: [SubscriptionSession] = []
        let isClosed = state.withLock { state in
            guard !state.isClosed else { return true }
            for (index, filter) in filters.enumerated() {
                let session = state.registry.place(filter) {
                    let session = makeSession()
                    started.append(session)
                    return session
                }
                if let place = assigned.firstIndex(where: { $0.session === session }) {
                    assigned[place].indices.append(index)
                } else {
                    assigned.append((session, [index]))
                }
            }
            return false
        }
        if isClosed { throw .clientClosed }
        for session in started {
            jobs.yield { await session.run() }
        }
        return assigned
    }

    private func makeSession() -> SubscriptionSession {
        SubscriptionSession(transport: transport, clientID: clientID) { [publisher] news, topic in
            switch news {
            case .there: publisher.topicIsThere(topic)
            case .deleted: publisher.topicIsDeleted(topic)
            }
        } onEnd: { [weak self] session in
            self?.state.withLock { $0.registry.remove(session) }
        }
    }

    /// Ends a subscription's feeds. Only then may other subscriptions use the same topics.
    func end(_ places: [Subscription.Place]) async {
        for place in places {
            await place.session.remove(place.keys)
            let isLeft = state.withLock { state in
                for filter in place.filters { state.registry.release(filter, of: place.session) }
                return state.registry.removeIfLeft(place.session)
            }
            if isLeft { jobs.yield { await place.session.retire() } }
        }
    }

    /// Does the same in the background, for callers that cannot wait.
    func endSoon(_ places: [Subscription.Place]) {
        jobs.yield { await self.end(places) }
    }
}
