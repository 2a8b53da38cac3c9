import Testing

@testable import ApusClient

@Suite("A subscription", .timeLimit(.minutes(1)))
struct SubscribingTests {
    @Test func `asks for what its options say`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let connection = try await server.accept()
                var options = ApusClient.SubscribeOptions(start: .last(5), overflow: .dropNewest, queue: 7)
                options.hasPresence = true
                async let subscribing = client.subscribe("orders", options)
                var command = try await connection.command()
                connection.send(ServerText.subscribed(command, offset: 0))
                _ = try await subscribing
                command["request_id"] = nil
                #expect(
                    command == [
                        "type": "subscribe", "topic": "orders", "client_id": client.clientID, "last_n": "5",
                        "positions": "true", "overflow": "drop-newest", "queue": "7", "presence": "true",
                    ]
                )
            }
        }
    }

    @Test(arguments: [
        (ApusClient.Start.all, "all"), (.age(.seconds(600)), "600000ms"), (.time(ServerText.time), ServerText.time),
        (.after(.init(epoch: "e", offset: 4)), #"{"epoch":"e","offset":4}"#),
    ]
    )
    func `begins where it is told`(start: ApusClient.Start, text: String) async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let connection = try await server.accept()
                async let subscribing = client.subscribe("orders", .init(start: start))
                let command = try await connection.command()
                #expect(command["since"] == text)
                #expect(command["last_n"] == nil)
                connection.send(ServerText.subscribed(command, offset: 4, recovered: true))
                _ = try await subscribing
            }
        }
    }

    @Test func `gives events and notices in their order, each event with its position`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let connection = try await server.accept()
                let subscription = try await connection.subscribed(client, "orders", offset: 41)
                #expect(subscription.position == .init(epoch: "e1", offset: 41))
                connection.send(
                    ServerText.event("orders", 1, offset: 42),
                    ServerText.info("messages_dropped", #""topic":"orders","dropped":2,"from":43,"to":44"#),
                    ServerText.event("orders", 2, offset: 45),
                    ServerText.info("joined", #""topic":"orders","client_id":"x""#)
                )
                let event = try #require(try await subscription.next()?.event)
                #expect(event.id == "m1" && event.topic == "orders" && event.time == ServerText.time)
                #expect(event.position == .init(epoch: "e1", offset: 42))
                #expect(try await subscription.notice() == .dropped(count: 2, offsets: 43...44))
                #expect(try await subscription.number() == 2)
                #expect(try await subscription.notice() == .joined(clientID: "x"))
            }
        }
    }

    @Test func `has handled an event when its consumer asks for the next, or says so`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let connection = try await server.accept()
                let subscription = try await connection.subscribed(client, "orders", offset: 0)
                connection.send((1...3).map { ServerText.event("orders", $0, offset: $0) })
                _ = try await subscription.number()
                #expect(subscription.position?.offset == 0)
                _ = try await subscription.number()
                #expect(subscription.position?.offset == 1)
                subscription.markHandled()
                #expect(subscription.positions == ["orders": .init(epoch: "e1", offset: 2)])
            }
        }
    }

    @Test func `that the server refuses throws its code and leaves nothing behind`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let connection = try await server.accept()
                let refused = Task { try await client.subscribe("nowhere") }
                connection.send(ServerText.error("TOPIC_NOT_FOUND", try await connection.command()))
                let error = await #expect(throws: ClientError.self) { try await refused.value }
                #expect(error?.code == .refused && error?.problem?.code == "TOPIC_NOT_FOUND")
                #expect(error?.topic == "nowhere")
                // The same name is free again, on the same connection.
                _ = try await connection.subscribed(client, "nowhere", offset: 0)
            }
        }
    }

    @Test func `to several topics is all or nothing`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let connection = try await server.accept()
                let refused = Task { try await client.subscribe(to: ["a", "b"]) }
                let first = try await connection.command()
                connection.send(ServerText.subscribed(first, offset: 0))
                connection.send(ServerText.error("TOPIC_NOT_FOUND", try await connection.command()))
                await #expect(throws: ClientError.self) { try await refused.value }
                let command = try await connection.command()
                #expect(command["type"] == "unsubscribe" && command["topic"] == "a")
            }
        }
    }

    @Test func `ends at the server when nobody holds it any more, and when told to`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let connection = try await server.accept()
                do { _ = try await connection.subscribed(client, "a", offset: 0) }
                #expect(try await connection.command()["type"] == "unsubscribe")
                let subscription = try await connection.subscribed(client, "b", offset: 0)
                await subscription.unsubscribe()
                let command = try await connection.command()
                #expect(command["type"] == "unsubscribe" && command["topic"] == "b")
                #expect(try await subscription.next() == nil)
            }
        }
    }

    @Test func `ends with its topic, after the notice of that`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let connection = try await server.accept()
                let subscription = try await connection.subscribed(client, "orders", offset: 0)
                connection.send(ServerText.info("topic_deleted", #""topic":"orders""#))
                #expect(try await subscription.notice() == .topicDeleted)
                #expect(try await subscription.next() == nil)
            }
        }
    }

    @Test func `that may get the same topics as another gets a connection of its own`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let first = try await server.accept()
                let one = try await first.subscribed(client, "orders.eu", offset: 0)
                async let subscribing = client.subscribe("orders.*")
                let second = try await server.accept()
                second.send(ServerText.acked(try await second.command()))
                let pattern = try await subscribing
                let other = try await first.subscribed(client, "sensors.*")
                first.send(ServerText.event("orders.eu", 1, offset: 1), ServerText.event("sensors.a", 2))
                second.send(ServerText.event("orders.eu", 1), ServerText.event("orders.us", 3))
                #expect(try await one.number() == 1)
                #expect(try await other.number() == 2)
                #expect(try await pattern.numbers(2) == [1, 3])
            }
        }
    }

    @Test func `waits for a topic that is not there only where it is told to`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let connection = try await server.accept()
                let refused = Task { try await client.subscribe("orders") }
                var command = try await connection.command()
                #expect(command["wait"] == nil)
                connection.send(ServerText.error("TOPIC_NOT_FOUND", command))
                await #expect(throws: ClientError.self) { try await refused.value }
                var options = ApusClient.SubscribeOptions(start: .last(3))
                options.waitsForTopic = true
                async let subscribing = client.subscribe("orders", options)
                command = try await connection.command()
                #expect(command["wait"] == "true" && command["last_n"] == "3")
                connection.send(ServerText.waiting(command))
                connection.send(ServerText.info("topic_created", #""topic":"orders","epoch":"e1""#))
                connection.send(ServerText.event("orders", 1, offset: 1))
                let subscription = try await subscribing
                #expect(try await subscription.notice() == .waiting)
                #expect(try await subscription.notice() == .topicCreated)
                #expect(try await subscription.number() == 1)
            }
        }
    }

    @Test func `that overlapped others and has ended leaves no connection behind`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let first = try await server.accept()
                let one = try await first.subscribed(client, "orders", offset: 0)
                for _ in 0..<3 {
                    async let subscribing = client.subscribe("orders")
                    let connection = try await server.accept()
                    connection.send(ServerText.subscribed(try await connection.command(), offset: 0))
                    try await subscribing.unsubscribe()
                    #expect(try await connection.command()["type"] == "unsubscribe")
                    await #expect(throws: Mailbox<String>.Ended.self) { try await connection.command() }
                }
                first.send(ServerText.event("orders", 1, offset: 1))
                #expect(try await one.number() == 1)
            }
        }
    }

    @Test func `whose task is cancelled is taken back, and leaves room for the next`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let connection = try await server.accept()
                for _ in 0..<3 {
                    let subscribing = Task { try await client.subscribe("orders") }
                    #expect(try await connection.command()["type"] == "subscribe")
                    subscribing.cancel()
                    await #expect(throws: ClientError.self) { try await subscribing.value }
                    #expect(try await connection.command()["type"] == "unsubscribe")
                }
                _ = try await connection.subscribed(client, "orders", offset: 0)
            }
        }
    }

    @Test func `ends with the closure`() async throws {
        try await FakeServer.run { server in
            let escaped = try await withClient(of: server) { client in
                let connection = try await server.accept()
                return try await connection.subscribed(client, "orders", offset: 0)
            }
            #expect(try await escaped.next() == nil)
        }
    }
}

extension FakeConnection {
    /// Subscribes and acks it; with positions when there is an offset.
    func subscribed(
        _ client: ApusClient,
        _ topic: String,
        _ options: ApusClient.SubscribeOptions = .init(),
        offset: Int? = nil
    ) async throws -> ApusClient.Subscription {
        async let subscribing = client.subscribe(topic, options)
        let command = try await command()
        send(offset.map { ServerText.subscribed(command, offset: $0) } ?? ServerText.acked(command))
        return try await subscribing
    }
}
