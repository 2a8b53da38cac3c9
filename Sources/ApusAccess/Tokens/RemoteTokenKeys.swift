/// The keys of a JWK set at an address, fetched when they are needed.
///
/// An actor, because all connections share the set and only one of them may fetch it. It fetches when there is no set
/// yet, when the set is older than `ttl`, or when a token names a key that is not in it; in any case at most once in
/// `retryAfter`, so that tokens with made-up keys do no harm to the server at the address. Who needs the result waits
/// for it, until `deadline` at most. If a fetch fails, the set that there is stays in use.
package actor RemoteTokenKeys {
    /// The most verifications that wait for a fetch. Those beyond go on with the keys that there are.
    package static let maximumWaiting = 1024

    /// Reads the set, at most so many bytes and one more. It must end soon after its task is cancelled, and must not
    /// follow a redirection to another scheme.
    package typealias Fetcher = @Sendable (_ limit: Int) async throws -> [UInt8]

    /// How often the set is fetched.
    package struct Schedule: Hashable, Sendable {
        /// Milliseconds for which a set is used without asking again: `jwks_ttl`.
        package var ttl: Int64
        /// Milliseconds from one attempt to the next.
        package var retryAfter: Int64
        /// How long a fetch may take.
        package var deadline: Duration

        package init(ttl: Int64 = 3_600_000, retryAfter: Int64 = 60_000, deadline: Duration = .seconds(5)) {
            self.ttl = ttl
            self.retryAfter = retryAfter
            self.deadline = deadline
        }
    }

    private struct Fetch {
        let number: Int
        let deadline: Task<Void, Never>
    }

    /// Where the set is.
    package nonisolated let address: String
    /// Why the last attempt failed; `nil` if it did not.
    package private(set) var failure: AccessError?
    /// What the last set that was fetched had in it that cannot be used.
    package private(set) var warnings: [String] = []

    private let schedule: Schedule
    private let fetcher: Fetcher
    private let now: @Sendable () -> Int64
    private let sleep: @Sendable (Duration) async throws -> Void
    private var current: [TokenKey]
    private var fetchedAt: Int64?
    private var triedAt: Int64?
    private var fetches = 0
    private var running: Fetch?
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// - Parameters:
    ///   - address: names the set; the fetcher knows how to get it.
    ///   - now: the steady clock, in milliseconds.
    ///   - sleep: waits for the deadline of a fetch.
    package init(
        address: String = "",
        schedule: Schedule = Schedule(),
        now: @escaping @Sendable () -> Int64,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
        fetcher: @escaping Fetcher
    ) {
        self.address = address
        self.schedule = schedule
        self.now = now
        self.sleep = sleep
        self.fetcher = fetcher
        current = []
    }

    /// The same set with another schedule. The keys that were fetched so far stay in use.
    package func continued(with schedule: Schedule) -> RemoteTokenKeys {
        schedule == self.schedule ? self : RemoteTokenKeys(self, schedule: schedule)
    }

    private init(_ other: isolated RemoteTokenKeys, schedule: Schedule) {
        address = other.address
        self.schedule = schedule
        now = other.now
        sleep = other.sleep
        fetcher = other.fetcher
        current = other.current
        warnings = other.warnings
        fetchedAt = other.fetchedAt
        triedAt = other.triedAt
    }

    /// The keys, fetched before if they are due.
    package func keys() async -> [TokenKey] {
        if fetchedAt.map({ now() - $0 >= schedule.ttl }) ?? true { await fetch() }
        return current
    }

    /// The keys, fetched before if there is none of that name.
    package func keys(missing kid: String) async -> [TokenKey] {
        if !current.contains(where: { $0.kid == kid }) { await fetch() }
        return current
    }

    /// Waits for the fetch that is running or may start; returns at once if none may.
    private func fetch() async {
        if running == nil {
            guard triedAt.map({ now() - $0 >= schedule.retryAfter }) ?? true else { return }
            start()
        }
        guard waiting.count < Self.maximumWaiting else { return }
        await withCheckedContinuation { waiting.append($0) }
    }

    private func start() {
        triedAt = now()
        fetches += 1
        let number = fetches
        let fetch = Task { [fetcher] in
            let result = await Self.set(from: fetcher)
            self.finish(number, result)
        }
        let deadline = Task { [sleep, schedule] in
            guard (try? await sleep(schedule.deadline)) != nil else { return }
            fetch.cancel()
            self.finish(number, .failure(AccessError(.file, "the JWK set was not there in time")))
        }
        running = Fetch(number: number, deadline: deadline)
    }

    /// What comes after the deadline comes too late: it belongs to no fetch that is running.
    private func finish(_ number: Int, _ result: Result<JWKSet, AccessError>) {
        guard let fetch = running, fetch.number == number else { return }
        fetch.deadline.cancel()
        running = nil
        switch result {
        case .success(let set):
            current = set.keys
            warnings = set.warnings
            fetchedAt = now()
            failure = nil
        case .failure(let error): failure = error
        }
        for continuation in waiting { continuation.resume() }
        waiting = []
    }

    private static func set(from fetcher: Fetcher) async -> Result<JWKSet, AccessError> {
        guard let bytes = try? await fetcher(JWKSet.maximumSize) else {
            return .failure(AccessError(.file, "the JWK set cannot be fetched"))
        }
        guard bytes.count <= JWKSet.maximumSize else {
            return .failure(AccessError(.file, "the JWK set is larger than \(JWKSet.maximumSize) bytes"))
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return .failure(AccessError(.file, "the JWK set is not UTF-8"))
        }
        do throws(AccessError) {
            return .success(try await JWKSet(json: text))
        } catch {
            return .failure(error)
        }
    }
}
