import Testing

@testable import ApusClient

@Suite("After a lost connection", .timeLimit(.minutes(1)))
struct ReconnectingTests {
    @Test func `a subscription goes on after what it received, and every event comes once`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let first = try await server.accept()
                let subscription = try await first.subscribed(client, "orders", .init(start: .last(9)), offset: 0)
                first.send((1...3).map { ServerText.event("orders", $0, offset: $0) })
                #expect(try await subscription.number() == 1)
                await first.drop()

                let second = try await server.accept()
                let command = try await second.command()
                // What waits in the buffer is not asked for again, and nothing that was asked for at first is.
                #expect(command["since"] == #"{"epoch":"e1","offset":3}"#)
                #expect(command["positions"] == "true" && command["last_n"] == nil)
                second.send(ServerText.subscribed(command, offset: 3, recovered: true))
                // A server that repeats itself.
                second.send((2...5).map { ServerText.event("orders", $0, offset: $0) })
                #expect(try await subscription.numbers(4) == [2, 3, 4, 5])
            }
        }
    }

    @Test func `a subscription to an empty topic goes on from where that was`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let first = try await server.accept()
                let subscription = try await first.subscribed(client, "orders", offset: 0)
                await first.drop()
                let second = try await server.accept()
                let command = try await second.command()
                #expect(command["since"] == #"{"epoch":"e1","offset":0}"#)
                second.send(ServerText.subscribed(command, offset: 0, recovered: true))
                second.send(ServerText.event("orders", 1, offset: 1))
                #expect(try await subscription.number() == 1)
            }
        }
    }

    @Test func `a subscription without its ack is asked for as at first`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let first = try await server.accept()
                async let subscribing = client.subscribe("orders", .init(start: .last(5)))
                _ = try await first.command()
                await first.drop()
                let second = try await server.accept()
                let command = try await second.command()
                #expect(command["last_n"] == "5" && command["since"] == nil)
                second.send(ServerText.subscribed(command, offset: 0), ServerText.event("orders", 1, offset: 1))
                #expect(try await subscribing.number() == 1)
            }
        }
    }

    @Test func `what is gone is said, with its offsets, at its place`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let first = try await server.accept()
                let subscription = try await first.subscribed(client, "orders", offset: 0)
                first.send(ServerText.event("orders", 1, offset: 1))
                await first.drop()
                let second = try await server.accept()
                let command = try await second.command()
                second.send(
                    ServerText.subscribed(command, offset: 57, recovered: false, missed: 2...57),
                    ServerText.event("orders", 58, offset: 58)
                )
                #expect(try await subscription.number() == 1)
                #expect(try await subscription.notice() == .gap(.missed(2...57)))
                #expect(subscription.position?.offset == 1)
                #expect(try await subscription.number() == 58)
                // With the next one asked for, the gap is handled.
                #expect(subscription.position?.offset == 57)
            }
        }
    }

    @Test func `a topic that began anew is said, and followed from its beginning`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let first = try await server.accept()
                let subscription = try await first.subscribed(client, "orders", offset: 40)
                await first.drop()
                let second = try await server.accept()
                let command = try await second.command()
                second.send(ServerText.subscribed(command, epoch: "e2", offset: 0, recovered: false))
                second.send(ServerText.event("orders", 1, offset: 1))
                #expect(try await subscription.notice() == .gap(.newEpoch))
                #expect(try await subscription.number() == 1)
                subscription.markHandled()
                #expect(subscription.position == .init(epoch: "e2", offset: 1))
            }
        }
    }

    @Test func `a pattern and a server without positions cannot recover, which is said`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let first = try await server.accept()
                let pattern = try await first.subscribed(client, "a.*", .init(start: .last(3)))
                let plain = try await first.subscribed(client, "b")
                await first.drop()
                let second = try await server.accept()
                for _ in 0..<2 {
                    let command = try await second.command()
                    #expect(command["since"] == nil && command["last_n"] == nil)
                    second.send(ServerText.acked(command))
                }
                #expect(try await pattern.notice() == .gap(.unknown))
                #expect(try await plain.notice() == .gap(.unknown))
            }
        }
    }

    @Test func `dropped messages are not asked for again`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let first = try await server.accept()
                let subscription = try await first.subscribed(client, "orders", offset: 0)
                first.send(ServerText.info("messages_dropped", #""topic":"orders","dropped":9,"from":1,"to":9"#))
                #expect(try await subscription.notice() == .dropped(count: 9, offsets: 1...9))
                await first.drop()
                #expect(try await server.accept().command()["since"] == #"{"epoch":"e1","offset":9}"#)
            }
        }
    }

    @Test func `of a subscribe that is too big, that one alone fails`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let first = try await server.accept()
                let subscription = try await first.subscribed(client, "orders", offset: 0)
                let big = Task { try await client.subscribe(String(repeating: "x", count: 3000)) }
                _ = try await first.command()
                try await first.close(1009, "MESSAGE_TOO_BIG")
                let error = await #expect(throws: ClientError.self) { _ = try await big.value }
                #expect(error?.problem?.code == "MESSAGE_TOO_BIG")
                let second = try await server.accept()
                second.send(ServerText.subscribed(try await second.command(), offset: 0, recovered: true))
                second.send(ServerText.event("orders", 1, offset: 1))
                #expect(try await subscription.number() == 1)
            }
        }
    }

    @Test func `of a deletion that disconnects, the other topics' subscriptions go on`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let first = try await server.accept()
                let one = try await first.subscribed(client, "a", offset: 0)
                let other = try await first.subscribed(client, "b", offset: 0)
                first.send(ServerText.info("topic_deleted", #""topic":"a""#))
                try await first.close(1000, "TOPIC_DELETED")
                #expect(try await one.notice() == .topicDeleted)
                let second = try await server.accept()
                let command = try await second.command()
                #expect(command["topic"] == "b")
                second.send(ServerText.subscribed(command, offset: 0, recovered: true))
                second.send(ServerText.event("b", 1, offset: 1))
                #expect(try await other.number() == 1)
            }
        }
    }

    @Test(arguments: [
        (UInt16(1000), ""), (1002, ""), (1003, ""), (1007, ""), (1008, "UNAUTHORIZED"), (1008, "FORBIDDEN"),
        (1009, "MESSAGE_TOO_BIG"),
    ]
    )
    func `that is not to be made again, everything ends with the close`(code: UInt16, reason: String) async throws {
        try await FakeServer.run { server in
            let waits = Waits()
            try await withClient(of: server, waits: waits) { client in
                let connection = try await server.accept()
                let subscription = try await connection.subscribed(client, "orders", offset: 0)
                try await connection.close(code, reason)
                let error = await #expect(throws: ClientError.self) { try await subscription.next() }
                #expect(error?.close == WebSocketClose(code: code, reason: reason))
                #expect(waits.durations.isEmpty)
                // Who asks again gets a new connection.
                async let again = client.subscribe("orders")
                let second = try await server.accept()
                second.send(ServerText.subscribed(try await second.command(), offset: 0))
                _ = try await again
            }
        }
    }

    @Test func `the server's own word on when to come back counts`() async throws {
        try await FakeServer.run { server in
            let waits = Waits()
            try await withClient(of: server, waits: waits) { client in
                let first = try await server.accept()
                let subscription = try await first.subscribed(client, "orders", offset: 0)
                first.send(ServerText.info("shutdown", #""reconnect_after_ms":4321"#))
                try await first.close(1001, "SHUTDOWN")
                let second = try await server.accept()
                #expect(waits.durations == [.milliseconds(4321)])
                second.send(ServerText.subscribed(try await second.command(), offset: 0, recovered: true))
                second.send(ServerText.event("orders", 1, offset: 1))
                #expect(try await subscription.number() == 1)
            }
        }
    }

    @Test func `attempts wait longer and longer, and begin anew once one was of use`() async throws {
        try await FakeServer.run { server in
            let waits = Waits()
            try await withClient(of: server, waits: waits) { client in
                var connection = try await server.accept()
                let subscription = try await connection.subscribed(client, "orders", offset: 0)
                for _ in 0..<4 {
                    await connection.drop()
                    connection = try await server.accept()
                }
                connection.send(ServerText.subscribed(try await connection.command(), offset: 0, recovered: true))
                connection.send(ServerText.event("orders", 1, offset: 1))
                #expect(try await subscription.number() == 1)
                await connection.drop()
                connection = try await server.accept()
                #expect(waits.durations == [100, 200, 400, 800, 100].map { .milliseconds($0) })
            }
        }
    }

    @Test func `attempts end when there may be no more`() async throws {
        try await FakeServer.run { server in
            var options = ApusClient.Options()
            options.reconnect = .never
            let changes = Mailbox<ApusClient.ConnectionChange>()
            options.onConnectionChange = { changes.put($0) }
            try await withClient(of: server, options: options) { client in
                let connection = try await server.accept()
                let subscription = try await connection.subscribed(client, "orders", offset: 0)
                await connection.drop()
                let error = await #expect(throws: ClientError.self) { try await subscription.next() }
                #expect(error?.code == .closed)
                guard case .connected = try await changes.next(), case .failed = try await changes.next() else {
                    Issue.record("not told")
                    return
                }
            }
        }
    }

    @Test func `a silent server's connection is taken for lost`() async throws {
        try await FakeServer.run { server in
            var options = ApusClient.Options()
            options.idleTimeout = .milliseconds(2)
            try await withClient(of: server, options: options) { client in
                let subscribing = Task { try await client.subscribe("orders") }
                for _ in 0..<3 { try await server.accept().ignorePings() }
                subscribing.cancel()
                await #expect(throws: ClientError.self) { try await subscribing.value }
            }
        }
    }
}
