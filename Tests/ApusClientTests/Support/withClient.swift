import Synchronization
import Testing

@testable import ApusClient

/// The waits that a client asked for, none of which it has to wait.
final class Waits: Sendable {
    private let all = Mutex<[Duration]>([])

    func add(_ wait: Duration) {
        all.withLock { $0.append(wait) }
    }

    var durations: [Duration] { all.withLock { $0 } }

    /// The time that has passed for who waited all that.
    var elapsed: Duration { durations.reduce(.zero, +) }
}

/// Runs a client of one or several fake servers. It waits for nothing: `waits` has what it would have waited before
/// each reconnect, with the longest time where chance would decide.
func withClient<Result: Sendable>(
    of servers: FakeServer...,
    waits: Waits = Waits(),
    options: ApusClient.Options = ApusClient.Options(),
    _ body: (ApusClient) async throws -> Result
) async throws -> Result {
    var environment = ReconnectingTransport.Environment()
    environment.sleep = { duration in
        waits.add(duration)
        try Task.checkCancellation()
    }
    environment.random = { $0 }
    let start = ContinuousClock.now
    environment.now = { start + waits.elapsed }
    return try await ApusClient.withConnection(
        ReconnectingTransport(servers: servers.map(\.address), options: options, environment: environment),
        body
    )
}

extension ApusClient.Subscription {
    /// The next one, which must be an event, as its payload.
    func number() async throws -> Int {
        let delivery = try #require(try await next())
        let event = try #require(delivery.event, "\(delivery)")
        return try #require(event.payload.integerValue)
    }

    /// The next ones, which must be events, as their payloads.
    func numbers(_ count: Int) async throws -> [Int] {
        var numbers: [Int] = []
        for _ in 0..<count { numbers.append(try await number()) }
        return numbers
    }

    /// The next one, which must be a notice.
    func notice() async throws -> ApusClient.Notice.Kind {
        let delivery = try #require(try await next())
        return try #require(delivery.notice, "\(delivery)").kind
    }
}
