import NIOCore
import NIOHTTP1
import Synchronization
import Testing

@testable import ApusClient

/// A provider that gives T1, T2, …, unless it has something else to do for that call.
final class TestTokens: Sendable {
    typealias Step = @Sendable () async throws -> String

    private let steps: [Int: Step]
    private let count = Mutex(0)

    init(_ steps: [Int: Step] = [:]) {
        self.steps = steps
    }

    var calls: Int { count.withLock { $0 } }

    var source: ApusClient.TokenSource {
        .provider {
            let call = self.count.withLock { count in
                count += 1
                return count
            }
            return try await self.steps[call]?() ?? "T\(call)"
        }
    }
}

@Suite("A token", .timeLimit(.minutes(1)))
struct TokenTests {
    private struct Away: Error {}

    private static func away() throws -> String { throw Away() }

    private static let expiring = ServerText.info("token_expiring", #""expires_in_ms":0"#)

    @Test func `goes into a header of the handshake, and a provider is asked for each connection`() async throws {
        try await FakeServer.run { server in
            let tokens = TestTokens()
            try await withClient(of: server, options: .init(token: tokens.source)) { client in
                let first = try await server.accept()
                #expect(first.headers["authorization"] == ["Bearer T1"])
                let subscription = try await first.subscribed(client, "orders", offset: 0)
                await first.drop()
                let second = try await server.accept()
                #expect(second.headers["authorization"] == ["Bearer T2"])
                second.send(ServerText.subscribed(try await second.command(), offset: 0, recovered: true))
                second.send(ServerText.event("orders", 1, offset: 1))
                #expect(try await subscription.number() == 1)
                #expect(tokens.calls == 2)
            }
            try await withClient(of: server, options: .init(apiKey: "k", token: .fixed("T"))) { _ in
                let connection = try await server.accept()
                #expect(connection.headers["x-api-key"] == ["k"] && connection.headers["authorization"] == [])
            }
        }
    }

    @Test func `is renewed on the open connection while messages flow`() async throws {
        try await FakeServer.run { server in
            let tokens = TestTokens()
            try await withClient(of: server, options: .init(token: tokens.source)) { client in
                let connection = try await server.accept()
                let subscription = try await connection.subscribed(client, "orders", offset: 0)
                connection.send(ServerText.event("orders", 1, offset: 1), Self.expiring, Self.expiring)
                let auth = try await connection.command()
                #expect(auth["type"] == "auth" && auth["token"] == "T2" && auth["api_key"] == nil)
                connection.send(
                    ServerText.event("orders", 2, offset: 2),
                    ServerText.acked(auth),
                    ServerText.event("orders", 3, offset: 3)
                )
                #expect(try await subscription.numbers(3) == [1, 2, 3])

                async let outcome = client.publish("orders", .string("x"))
                let publishing = try await server.accept()
                let publish = try await publishing.command()
                publishing.send(Self.expiring)
                let other = try await publishing.command()
                #expect(other["token"] == "T4")
                publishing.send(ServerText.acked(other), ServerText.published(publish, offset: 4))
                #expect(try await outcome.position?.offset == 4)
                #expect(tokens.calls == 4)
            }
        }
    }

    @Test func `is renewed when half of it is over, if the server announces it as soon as it came`() async throws {
        try await FakeServer.run { server in
            let waits = Waits()
            let tokens = TestTokens()
            try await withClient(of: server, waits: waits, options: .init(token: tokens.source)) { client in
                let connection = try await server.accept()
                let subscription = try await connection.subscribed(client, "orders", offset: 0)
                defer { withExtendedLifetime(subscription) {} }
                for validity in ["20000", "1000000000000"] {
                    connection.send(ServerText.info("token_expiring", "\"expires_in_ms\":\(validity)"))
                    connection.send(ServerText.acked(try await connection.command()))
                }
                #expect(waits.durations == [.seconds(10), .seconds(30)])
            }
        }
    }

    @Test func `that is not renewed at first is asked for again, with growing pauses`() async throws {
        try await FakeServer.run { server in
            let waits = Waits()
            let release = Signal()
            let tokens = TestTokens([
                2: Self.away, 3: { "two words" },
                // It does not even care that it is cancelled.
                4: { await Task.detached { await release.wait() }.result.map { "late" }.get() },
            ])
            defer { release.raise() }
            var options = ApusClient.Options(token: tokens.source)
            options.connection.connectTimeout = .seconds(5)
            let changes = Mailbox<ApusClient.ConnectionChange>()
            options.onConnectionChange = { changes.put($0) }
            try await withClient(of: server, waits: waits, options: options) { client in
                let connection = try await server.accept()
                let subscription = try await connection.subscribed(client, "orders", offset: 0)
                defer { withExtendedLifetime(subscription) {} }
                connection.send(Self.expiring)
                let refused = try await connection.command()
                #expect(refused["token"] == "T5")
                connection.send(ServerText.error("UNAUTHORIZED", refused))
                let auth = try await connection.command()
                #expect(auth["token"] == "T6")
                connection.send(ServerText.acked(auth))
                var failures: [String] = []
                for _ in 0..<5 {
                    if case .renewalFailed(let error) = try await changes.next() { failures.append(error.message) }
                }
                #expect(failures.count == 4 && failures[0] == "the token provider failed: Away()")
                #expect(failures[1].contains("spaces") && failures[2].contains("did not answer"))
                #expect(waits.durations == [250, 500, 1000, 2000].map { .milliseconds($0) })
            }
        }
    }

    @Test func `that ends is replaced with a reconnect, and nothing is lost`() async throws {
        try await FakeServer.run { server in
            let tokens = TestTokens([2: Self.away])
            try await withClient(of: server, options: .init(token: tokens.source)) { client in
                let first = try await server.accept()
                let subscription = try await first.subscribed(client, "orders", offset: 0)
                first.send(ServerText.event("orders", 1, offset: 1))
                try await first.close(1008, "TOKEN_EXPIRED")
                // The provider fails once in between.
                let second = try await server.accept()
                #expect(second.headers["authorization"] == ["Bearer T3"])
                let command = try await second.command()
                #expect(command["since"] == #"{"epoch":"e1","offset":1}"#)
                second.send(ServerText.subscribed(command, offset: 1, recovered: true))
                second.send(ServerText.event("orders", 2, offset: 2))
                #expect(try await subscription.numbers(2) == [1, 2])
            }
        }
    }

    @Test(arguments: ["TOKEN_EXPIRED", "REVOKED", "UNAUTHORIZED"])
    func `that stays the same is not tried again after a close for it`(reason: String) async throws {
        try await FakeServer.run { server in
            try await withClient(of: server, options: .init(token: .fixed("T"))) { client in
                let connection = try await server.accept()
                let subscription = try await connection.subscribed(client, "orders", offset: 0)
                connection.send(Self.expiring)
                try await connection.close(1008, reason)
                let error = await #expect(throws: ClientError.self) { try await subscription.next() }
                #expect(error?.code == .unauthorized && error?.close?.reason == reason)
            }
        }
    }

    @Test func `is asked for again a few times if the server refuses it, and never after a revocation`() async throws {
        try await FakeServer.run { server in
            for (reason, attempts) in [("UNAUTHORIZED", 5), ("REVOKED", 1)] {
                let tokens = TestTokens()
                try await withClient(of: server, options: .init(token: tokens.source)) { client in
                    let subscribing = Task { try await client.subscribe("orders") }
                    for _ in 0..<attempts {
                        let connection = try await server.accept()
                        // What is not read when TCP ends, would end it before the client sees the close.
                        _ = try await connection.command()
                        try await connection.close(1008, reason)
                    }
                    let error = await #expect(throws: ClientError.self) { _ = try await subscribing.value }
                    #expect(error?.close?.reason == reason)
                    #expect(tokens.calls == attempts)
                }
            }
        }
    }

    @Test func `that there will never be again ends everything with the provider's own error`() async throws {
        let loggedOut = ClientError(.unauthorized, "logged out")
        try await FakeServer.run { server in
            let never = TestTokens([1: { throw loggedOut }])
            let first = await #expect(throws: ClientError.self) {
                try await withClient(of: server, options: .init(token: never.source)) { _ in }
            }
            #expect(first?.message == "logged out")

            let tokens = TestTokens([2: { throw loggedOut }])
            try await withClient(of: server, options: .init(token: tokens.source)) { client in
                let connection = try await server.accept()
                let subscription = try await connection.subscribed(client, "orders", offset: 0)
                connection.send(Self.expiring)
                let error = await #expect(throws: ClientError.self) { try await subscription.next() }
                #expect(error?.message == "logged out")
                let other = await #expect(throws: ClientError.self) { try await client.publish("orders", .string("x")) }
                #expect(other?.message == "logged out")
                #expect(tokens.calls == 2)
            }
        }
    }

    @Test func `with fewer rights ends just the subscriptions that need more`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server, options: .init(token: .fixed("T"))) { client in
                let connection = try await server.accept()
                let gone = try await connection.subscribed(client, "a", offset: 0)
                let stays = try await connection.subscribed(client, "b.*")
                connection.send(
                    ServerText.event("a", 1, offset: 1),
                    ServerText.info("unsubscribed", #""topic":"a","reason":"FORBIDDEN""#),
                    // A topic of a pattern is not the pattern.
                    ServerText.info("unsubscribed", #""topic":"b.c","reason":"FORBIDDEN""#),
                    ServerText.event("b.c", 2)
                )
                #expect(try await gone.number() == 1)
                let error = await #expect(throws: ClientError.self) { try await gone.next() }
                #expect(error?.code == .refused && error?.problem?.code == "FORBIDDEN" && error?.topic == "a")
                #expect(try await stays.number() == 2)
            }
        }
    }

    @Test func `is asked for once by all who need one at the same time`() async throws {
        let asked = Signal()
        let release = Signal()
        let tokens = TestTokens([
            1: {
                asked.raise()
                await release.wait()
                return "shared"
            }
        ])
        let credential = Credential(token: tokens.source)
        async let first = credential.currentToken()
        await asked.wait()
        async let second = credential.currentToken()
        // Whether the second one asks before or after the answer: it never asks beside the first.
        release.raise()
        let (one, two) = try await (first, second)
        #expect(one == "shared" && (two == "shared" && tokens.calls == 1 || two == "T2" && tokens.calls == 2))
    }

    @Test func `that no header can have is refused, and no text about it shows it`() async throws {
        for credential in [
            Credential(token: .fixed("s3cret\n")), Credential(token: .fixed("")), Credential(apiKey: "s3cret\r\nX: y"),
            Credential(token: .provider { "s3 cret" }),
        ] {
            let error = await #expect(throws: ClientError.self) { try await credential.fields() }
            #expect(try !"\(#require(error)) \(#require(error).message)".contains("cret"))
        }
        for source in [ApusClient.TokenSource.fixed("s3cret"), .provider { "s3cret" }] {
            var shown = "\(source) \(String(reflecting: source)) \(ApusClient.Options(token: source))"
            dump(source, to: &shown)
            #expect(!shown.contains("s3cret"))
        }
    }
}
