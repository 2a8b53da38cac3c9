import Testing

@testable import ApusClient

@Suite("Of several servers", .timeLimit(.minutes(1)))
struct ServerListTests {
    /// An address at which nobody listens.
    private static let nobody = ServerAddress(host: "127.0.0.1", port: 1)

    @Test func `the first is used, and the next when that goes away, with the position`() async throws {
        try await FakeServer.run { one in
            try await FakeServer.run { two in
                let waits = Waits()
                try await withClient(of: one, two, waits: waits) { client in
                    #expect(client.address == one.address)
                    let first = try await one.accept()
                    let subscription = try await first.subscribed(client, "orders", offset: 0)
                    first.send(ServerText.event("orders", 1, offset: 1))
                    #expect(try await subscription.number() == 1)
                    first.send(#"{"type":"info","msg":"shutdown","reconnect_after_ms":700,"ts":"t"}"#)
                    try await first.close(1001, "SHUTDOWN")

                    let second = try await two.accept()
                    let command = try await second.command()
                    #expect(command["since"] == #"{"epoch":"e1","offset":1}"#)
                    // It has messages of its own.
                    second.send(
                        ServerText.subscribed(command, offset: 0, recovered: false),
                        ServerText.event("orders", 2, offset: 1)
                    )
                    #expect(try await subscription.notice() == .gap(.unknown))
                    #expect(try await subscription.number() == 2)
                    #expect(client.address == two.address)
                }
                #expect(waits.durations.first == .milliseconds(700))
            }
        }
    }

    @Test func `one that breaks is asked again before another`() async throws {
        try await FakeServer.run { one in
            try await FakeServer.run { two in
                try await withClient(of: one, two) { client in
                    let first = try await one.accept()
                    let subscription = try await first.subscribed(client, "orders", offset: 0)
                    await first.drop()
                    let again = try await one.accept()
                    let command = try await again.command()
                    again.send(
                        ServerText.subscribed(command, offset: 0, recovered: true),
                        ServerText.event("orders", 1, offset: 1)
                    )
                    #expect(try await subscription.number() == 1)
                    #expect(client.address == one.address)
                }
            }
        }
    }

    @Test func `one that cannot be reached is passed over, at the start too`() async throws {
        try await FakeServer.run { server in
            try await ApusClient.withConnection(toAnyOf: [Self.nobody, server.address]) { client in
                _ = try await server.accept()
                #expect(client.address == server.address)
            }
        }
    }

    @Test func `all that cannot be reached are an error, and so are none`() async {
        for servers in [[Self.nobody, Self.nobody], []] {
            let error = await #expect(throws: ClientError.self) {
                try await ApusClient.withConnection(toAnyOf: servers) { _ in }
            }
            #expect(error?.code == (servers.isEmpty ? .badAddress : .unreachable))
        }
    }

    @Test func `the list moves on once, however many connections were lost`() {
        let addresses = (1...3).map { ServerAddress(host: "host\($0)", port: 80) }
        let list = ServerList(addresses)
        #expect(list.current == addresses[0])
        for _ in 1...2 { list.moveOn(from: addresses[0]) }
        #expect(list.current == addresses[1])
        list.moveOn(from: addresses[1])
        list.moveOn(from: addresses[2])
        #expect(list.current == addresses[0])
    }

    @Test func `requests go to the next one if there is no connection to the first`() async throws {
        let credential = Credential(apiKey: nil, token: nil, limit: .seconds(1))
        let client = RESTClient(address: Self.nobody, others: [Self.nobody], credential: credential)
        let error = await #expect(throws: ClientError.self) { try await client.topics() }
        #expect(error?.code == .unreachable && error?.isBeforeConnection == true)
    }
}

@Suite("Reconnecting, with several servers")
struct ServersBackoffTests {
    private func lost(_ code: UInt16, _ reason: String = "", useful: Bool = false) -> ConnectionEnd {
        ConnectionEnd(error: ClientError(WebSocketClose(code: code, reason: reason)), wasUseful: useful)
    }

    private static let unreachable = ConnectionEnd(error: ClientError(.unreachable, "away"))

    private func refused(after seconds: Int?) -> ConnectionEnd {
        ConnectionEnd(error: ClientError.refusal(status: 503, body: "", retryAfter: seconds))
    }

    @Test func `moves on from a server that cannot be reached, takes nobody or goes away, and from no other`() {
        func made(_ code: UInt16, _ reason: String = "") -> ConnectionEnd {
            var end = lost(code, reason)
            end.wasMade = true
            return end
        }
        let away = [
            made(1001, "SHUTDOWN"), made(1012), made(1013, "OVERLOADED"), Self.unreachable, refused(after: nil),
        ]
        #expect(away.map(\.movesOn) == away.map { _ in true })
        #expect(ConnectionEnd(error: ClientError(.timedOut, "slow")).movesOn)
        let others = [made(1006), made(1008, "SLOW_CONSUMER"), made(1008, "REVOKED"), made(1009, "MESSAGE_TOO_BIG")]
        #expect(others.map(\.movesOn) == others.map { _ in false })
        #expect(!ConnectionEnd(error: ClientError(.tokenUnavailable, "away")).movesOn)
        #expect(!ConnectionEnd(error: ClientError.refusal(status: 401, body: "")).movesOn)
    }

    @Test func `waits after all servers were tried, and counts such rounds`() {
        var backoff = Backoff(ApusClient.ReconnectPolicy(), servers: 3)
        let waits = (0..<9).map { _ in backoff.delay(after: Self.unreachable) { $0 } }
        let milliseconds: [Int64] = [0, 0, 100, 0, 0, 200, 0, 0, 400]
        #expect(waits == milliseconds.map { .milliseconds($0) })
    }

    @Test func `counts a server that goes away as tried, and waits as it says`() {
        var backoff = Backoff(ApusClient.ReconnectPolicy(), servers: 2)
        var shutdown = lost(1001, "SHUTDOWN", useful: true)
        (shutdown.wasMade, shutdown.reconnectAfter) = (true, .seconds(7))
        #expect(backoff.delay(after: shutdown) { $0 } == .seconds(7))
        #expect(backoff.delay(after: Self.unreachable) { $0 } == .milliseconds(200))
        #expect(backoff.delay(after: Self.unreachable) { $0 } == .zero)
    }

    @Test func `comes back when the first of its servers wants it, if all have said when`() {
        var backoff = Backoff(ApusClient.ReconnectPolicy(), servers: 2)
        #expect([5, 3].map { backoff.delay(after: refused(after: $0)) { $0 } } == [.zero, .seconds(3)])
        #expect([5, nil].map { backoff.delay(after: refused(after: $0)) { $0 } } == [.zero, .milliseconds(200)])
        #expect([nil, 5].map { backoff.delay(after: refused(after: $0)) { $0 } } == [.zero, .milliseconds(400)])
    }

    @Test func `gives up after so many rounds`() {
        var policy = ApusClient.ReconnectPolicy()
        policy.maxAttempts = 1
        var backoff = Backoff(policy, servers: 2)
        let waits = (0..<4).map { _ in backoff.delay(after: Self.unreachable) { $0 } }
        #expect(waits == [.zero, .milliseconds(100), .zero, nil])
    }
}
