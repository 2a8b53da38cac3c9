#if NATS
import Synchronization

/// Asks the servers again and again whether they write to the disk before they acknowledge: one may have come back, or
/// have been added, with other settings than those that the start has seen.
final class SyncWatch: Sendable {
    /// How often, besides after each new connection.
    private static let interval = Duration.seconds(60)

    private struct State {
        var findings = SyncFindings()
        var isAsking = false
        var task: Task<Void, Never>?
    }

    private let connection: NATSConnection
    private let tell: @Sendable (NATSEvent) -> Void
    private let state = Mutex(State())

    init(_ connection: NATSConnection, tell: @escaping @Sendable (NATSEvent) -> Void) {
        (self.connection, self.tell) = (connection, tell)
    }

    /// Asks from now on until ``stop()``.
    func start() {
        let task = Task { [weak self] in
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.interval)
                await self?.ask()
            }
        }
        state.withLock { $0.task = task }
    }

    func stop() { state.withLock { $0.task }?.cancel() }

    /// One question at a time: who comes meanwhile is not needed.
    func ask() async {
        let isFree = state.withLock { state in
            defer { state.isAsking = true }
            return !state.isAsking
        }
        guard isFree else { return }
        let reports = await connection.servers()
        let news = state.withLock { state in
            state.isAsking = false
            return state.findings.news(in: reports)
        }
        for event in news { tell(event) }
    }
}

/// The servers that were found not to write before they acknowledge.
struct SyncFindings {
    private var unsynced: [String: String] = [:]

    /// - Returns: what has changed. A server that does not answer is as it was.
    mutating func news(in reports: [ServerReport]) -> [NATSEvent] {
        reports.compactMap { report in
            let (id, name) = (report.server.id, report.server.name)
            switch report.syncsAlways {
            case false?:
                // A server that is started again has a new id, and the same name.
                return unsynced.updateValue(id, forKey: name) == id ? nil : .unsynced(server: name)
            case true?: return unsynced.removeValue(forKey: name) == nil ? nil : .synced(server: name)
            case nil: return nil
            }
        }
    }
}
#endif
