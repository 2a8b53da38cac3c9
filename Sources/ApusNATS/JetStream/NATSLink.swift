#if NATS
package import ApusCluster
import ApusProtocol
package import NIOCore
import Synchronization

/// A cluster node's connection to JetStream.
package final class NATSLink: JetStreamLink, PeerLink {
    private struct Reading {
        let request: ConsumeRequest
        let reader: StreamReader
    }

    private struct State {
        var tell: (@Sendable (JetStreamEvent) -> Void)?
        var wake: (@Sendable () -> Void)?
        var readings: [ClusterStream: Reading] = [:]
        var isConnected = false
        var syncWatch: SyncWatch?
    }

    /// What the connection tells before the link is there goes nowhere, and what comes later to the link.
    private final class Relay: Sendable {
        let state = Mutex(State())

        func noted(_ event: NATSEvent) {
            let news: JetStreamEvent
            switch event {
            case .connected: news = .connected
            case .disconnected: news = .disconnected
            default: return
            }
            let (tell, watch) = state.withLock { state in
                if case .connected = event { state.isConnected = true } else { state.isConnected = false }
                return (state.tell, state.isConnected ? state.syncWatch : nil)
            }
            tell?(news)
            if let watch { Task { await watch.ask() } }
        }
    }

    private let relay: Relay
    let names: ClusterNames
    package let connection: NATSConnection
    /// The bytes of a message, headers counted, that all servers took at the start, as far as they said.
    package let largestMessage: Int

    private init(_ names: ClusterNames, _ relay: Relay, _ connection: NATSConnection, _ largestMessage: Int) {
        (self.names, self.relay, self.connection) = (names, relay, connection)
        self.largestMessage = largestMessage
    }

    /// Connects, checks the servers and makes the streams that are missing.
    ///
    /// - Parameter events: is told, too, what happens to the connection.
    package static func open(
        _ settings: NATSSettings,
        names: ClusterNames,
        events: @escaping @Sendable (NATSEvent) -> Void = { _ in }
    ) async throws(NATSFailure) -> NATSLink {
        let relay = Relay()
        let connection = NATSConnection(settings) { event in
            relay.noted(event)
            events(event)
        }
        let largestMessage: Int
        do throws(NATSFailure) {
            try await connection.connect()
            largestMessage = try await StartupCheck(connection).largestMessage()
        } catch {
            await connection.close()
            throw error
        }
        if settings.syncing == .checked {
            let watch = SyncWatch(connection, tell: events)
            relay.state.withLock { $0.syncWatch = watch }
            watch.start()
        }
        return NATSLink(names, relay, connection, largestMessage)
    }

    package func start(tell: @escaping @Sendable (JetStreamEvent) -> Void, wake: @escaping @Sendable () -> Void) {
        let isConnected = relay.state.withLock { state in
            (state.tell, state.wake) = (tell, wake)
            return state.isConnected
        }
        if isConnected { tell(.connected) }
    }

    package func perform(_ actions: [JetStreamAction]) {
        for action in actions {
            switch action {
            case .publish(let request): publish(request)
            case .consume(let request): consume(request)
            case .purge(let stream, let subject, let end):
                Task { [connection, names] in
                    // Nobody waits for it: what stays is removed with the next purge.
                    _ = try? await connection.purge(names.stream(stream), subject: subject, .before(end))
                }
            case .changeServer:
                if let server = connection.server { connection.leave(server) }
            }
        }
    }

    private func publish(_ request: PublishRequest) {
        let message = StreamPublish(
            subject: request.subject,
            headers: [NATSHeader(request.header.name, request.header.value)],
            body: request.body,
            id: request.id.description,
            stream: names.stream(request.stream),
            expectation: StreamPublish.Expectation(request.expected)
        )
        connection.publish(message, timeout: .milliseconds(request.timeout)) { [relay] result in
            let tell = relay.state.withLock { $0.tell }
            tell?(.answered(request.number, PublishAnswer(result)))
        }
    }

    private func consume(_ request: ConsumeRequest) {
        let wake = relay.state.withLock { $0.wake }
        let reader = connection.read(names.stream(request.stream), from: request.from) { wake?() }
        let old = relay.state.withLock { state in
            state.readings.updateValue(Reading(request: request, reader: reader), forKey: request.stream)
        }
        old?.reader.stop()
        // What came before this reader was known here woke nobody who could take it.
        wake?()
    }

    package func take(atMost count: Int) -> [JetStreamEvent] {
        let readings = relay.state.withLock { state in state.readings.values.map { $0 } }
        var events: [JetStreamEvent] = []
        // A stream with much to tell must not keep the others waiting.
        let share = max(count / max(readings.count, 1), 1)
        for reading in readings {
            for event in reading.reader.take(atMost: share) {
                if let event = JetStreamEvent(event, reading.request) { events.append(event) }
            }
        }
        return events
    }

    // MARK: Peers

    package var server: String? { connection.server?.url }

    package func listen(to subject: String, _ receive: @escaping @Sendable (ByteBuffer) -> Void) {
        connection.listen(to: subject, receive)
    }

    package func send(_ body: ByteBuffer, to subject: String) { connection.send(body, to: subject) }

    package func standing(of stream: ClusterStream) async -> StreamStanding? {
        guard let info = try? await connection.streamInfo(names.stream(stream), timeout: .seconds(1)) else {
            return nil
        }
        let replicas = info.cluster?.replicas ?? []
        return StreamStanding(
            leader: info.cluster?.leader.flatMap { $0.isEmpty ? nil : $0 },
            messages: info.state.messages,
            bytes: info.state.bytes,
            replicas: replicas.count,
            behind: replicas.count { !$0.current }
        )
    }

    package func close() {
        let watch = relay.state.withLock { state in
            // It has the connection, which has the relay.
            defer { state.syncWatch = nil }
            return state.syncWatch
        }
        watch?.stop()
        Task { [connection] in await connection.close() }
    }
}

extension JetStreamEvent {
    /// - Returns: `nil` for what a node need not know.
    fileprivate init?(_ event: StreamReader.Event, _ request: ConsumeRequest) {
        switch event {
        case .started, .ended(.stopped): return nil
        case .heartbeat(let deliveries):
            self = .heartbeat(request.stream, consumer: request.number, deliveries: deliveries)
        case .ended: self = .consumerFailed(request.stream, consumer: request.number)
        case .message(let message):
            let names = [PackHeader.name, TopicEntry.name, BarrierHeader.name, RegistryNote.name]
            let header = names.lazy.compactMap { message[header: $0] }
            self = .delivered(
                Delivery(
                    stream: request.stream,
                    consumer: request.number,
                    number: message.number,
                    sequence: message.sequence,
                    subject: message.subject,
                    id: message[header: "Nats-Msg-Id"],
                    header: header.first,
                    body: message.body
                )
            )
        }
    }
}

extension StreamPublish.Expectation {
    fileprivate init(_ expected: ExpectedSequence) {
        switch expected {
        case .anything: self = .none
        case .noMessage: self = .noMessage
        case .last(let sequence): self = .last(sequence)
        }
    }
}

extension PublishAnswer {
    /// Refusals after which the same message can never be taken.
    private static let final = [10_054, 10_060, 10_077]

    fileprivate init(_ result: PublishResult) {
        switch result {
        case .acked(_, let sequence, let isDuplicate): self = .acked(sequence: sequence, isDuplicate: isDuplicate)
        case .refused(let refusal, let last?) where refusal.reason == JetStreamRefusal.Reason.wrongLastSequence:
            self = .wrongLastSequence(last)
        case .refused(let refusal, _) where Self.final.contains(refusal.reason): self = .refused(refusal.text)
        case .refused(let refusal, _): self = .unavailable(refusal.text)
        case .tooLarge(let limit): self = .refused("it is larger than max_payload of the NATS server, \(limit) bytes")
        case .noResponders: self = .unavailable("no responders")
        case .timedOut: self = .unavailable("no answer")
        case .disconnected: self = .unavailable("no connection")
        case .tooMany: self = .unavailable("too many requests wait for an answer")
        }
    }
}
#endif
