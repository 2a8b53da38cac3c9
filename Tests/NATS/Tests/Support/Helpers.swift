#if NATS
import Dispatch
import NIOCore
import Synchronization
import Testing

@testable import ApusNATS

/// Runs a test with servers, and stops them afterwards.
func withServers(
    _ count: Int = 1,
    jetStream: String? = "sync_interval: always",
    more: String = "",
    _ body: (NATSServers) async throws -> Void
) async throws {
    let servers = try await NATSServers(count, jetStream: jetStream, more: more)
    defer { servers.stop() }
    if count > 1, jetStream != nil {
        try await withConnection(.cluster(servers)) { connection in
            try await waitUntil("there is a leader") {
                (try? await connection.accountInfo(timeout: .seconds(1))) != nil
            }
        }
    }
    try await body(servers)
}

/// Connects, and closes the connection afterwards. Waits for servers that are just starting.
func withConnection<Result>(
    _ settings: NATSSettings,
    events: EventLog = EventLog(),
    _ body: (NATSConnection) async throws -> Result
) async throws -> Result {
    let connection = NATSConnection(settings) { events.add($0) }
    do {
        try await connection.connect()
        let result = try await body(connection)
        await connection.close()
        return result
    } catch {
        await connection.close()
        throw error
    }
}

extension NATSSettings {
    /// Of servers on this machine, of which each stream has one copy.
    static func single(_ servers: NATSServers) -> NATSSettings {
        var settings = NATSSettings(urls: servers.urls)
        settings.replicas = 1
        settings.syncing = .vouched
        return settings
    }

    static func cluster(_ servers: NATSServers) -> NATSSettings {
        var settings = NATSSettings(urls: servers.urls)
        settings.syncing = .vouched
        return settings
    }
}

/// What happened to a connection.
final class EventLog: Sendable {
    private let state = Mutex<[NATSEvent]>([])

    func add(_ event: NATSEvent) { state.withLock { $0.append(event) } }

    var servers: [NATSServer] {
        state.withLock { $0.compactMap { if case .connected(let server) = $0 { server } else { nil } } }
    }

    var disconnects: Int {
        state.withLock { $0.count { if case .disconnected = $0 { true } else { false } } }
    }
}

/// Takes what a reader has, whenever it is woken.
final class ReaderLog: Sendable {
    private let state = Mutex<(messages: [StreamMessage], heartbeats: Int, end: StreamReader.End?)>(([], 0, nil))
    private let reader = Mutex<StreamReader?>(nil)
    private let queue = DispatchQueue(label: "reader")

    init(_ connection: NATSConnection, _ stream: String, from sequence: UInt64) {
        let reader = connection.read(stream, from: sequence) { [weak self, queue] in
            queue.async { [weak self] in self?.take() }
        }
        self.reader.withLock { $0 = reader }
        queue.async { self.take() }
    }

    private func take() {
        // What comes before the reader is known here, `init` takes.
        guard let reader = reader.withLock({ $0 }) else { return }
        while case let events = reader.take(atMost: 1000), !events.isEmpty {
            state.withLock { state in
                for event in events {
                    switch event {
                    case .started: break
                    case .message(let message): state.messages.append(message)
                    case .heartbeat: state.heartbeats += 1
                    case .ended(let end): state.end = end
                    }
                }
            }
        }
    }

    var sequences: [UInt64] { state.withLock { $0.messages.map(\.sequence) } }
    var messages: [StreamMessage] { state.withLock { $0.messages } }
    var heartbeats: Int { state.withLock { $0.heartbeats } }
    var end: StreamReader.End? { state.withLock { $0.end } }
    func stop() { reader.withLock { $0 }?.stop() }
}

extension NATSConnection {
    /// Publishes one after the other, until the stream has each.
    func fill(_ subject: String, _ bodies: some Sequence<String>) async throws {
        for body in bodies {
            let message = StreamPublish(subject: subject, body: ByteBuffer(string: body), id: body)
            try await waitUntil("\(body) is acknowledged") {
                if case .acked = await publish(message, timeout: .seconds(2)) { true } else { false }
            }
        }
    }
}

/// The failure of something that has to fail.
func failure(of body: () async throws -> Void) async throws -> NATSFailure {
    do {
        try await body()
    } catch let failure as NATSFailure {
        return failure
    }
    return try #require(nil, "nothing failed")
}
#endif
