import Testing

@testable import ApusClient

@Suite("A publish", .timeLimit(.minutes(1)))
struct PublishingTests {
    @Test func `sends its fields and has the outcome that the server tells`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let connection = try await server.accept()
                async let publishing = client.publish(
                    "orders",
                    JSONText(unchecked: "[1.0]"),
                    id: "i",
                    key: "k",
                    ttl: .milliseconds(1500)
                )
                let command = try await connection.command()
                #expect(
                    command == [
                        "type": "publish", "topic": "orders", "request_id": "1", "key": "k", "ttl": "1500ms",
                        "outcome": "true", "message": #"{"id":"i","payload":[1.0]}"#,
                    ]
                )
                connection.send(ServerText.published(command, offset: 17))
                let outcome = try await publishing
                #expect(outcome.id == "i" && outcome.position == .init(epoch: "e1", offset: 17))
                #expect(outcome.subscribers == 3 && outcome.storage == .memory && !outcome.isDuplicate)
                #expect(outcome.count == 1 && outcome.duplicates == 0 && outcome.time == ServerText.time)
            }
        }
    }

    @Test func `of a batch is one command with one outcome`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let connection = try await server.accept()
                let messages = (1...3).map { ApusClient.Message(JSONText(unchecked: "\($0)"), id: "m\($0)") }
                async let publishing = client.publish("orders", batch: messages, key: "k")
                let command = try await connection.command()
                #expect(
                    command["messages"]
                        == #"[{"id":"m1","payload":1},{"id":"m2","payload":2},{"id":"m3","payload":3}]"#
                )
                #expect(command["key"] == "k" && command["message"] == nil)
                connection.send(ServerText.published(command, offset: 5, more: #","count":3,"duplicates":1"#))
                let outcome = try await publishing
                #expect(outcome.id == "m1" && outcome.position?.offset == 5)
                #expect(outcome.count == 3 && outcome.duplicates == 1)
                let error = await #expect(throws: ClientError.self) { try await client.publish("orders", batch: []) }
                #expect(error?.code == .badMessage)
            }
        }
    }

    @Test func `that the server refuses throws its code, and the others go on`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let connection = try await server.accept()
                let one = try client.enqueue("nowhere", .string("x"))
                let other = try client.enqueue("orders", .string("x"))
                connection.send(ServerText.error("TOPIC_NOT_FOUND", try await connection.command()))
                connection.send(ServerText.published(try await connection.command(), offset: 1))
                let error = await #expect(throws: ClientError.self) { try await one.outcome() }
                #expect(error?.problem?.code == "TOPIC_NOT_FOUND" && error?.topic == "nowhere")
                #expect(try await other.outcome().position?.offset == 1)
            }
        }
    }

    @Test func `without an answer is made again on the next connection, in its order and with its id`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let first = try await server.accept()
                let receipts = try (1...3).map { try client.enqueue("orders", .string("\($0)"), id: "m\($0)") }
                let taken = try await first.command()
                first.send(ServerText.published(taken, offset: 1))
                _ = try await receipts[0].outcome()
                _ = try await first.command()
                await first.drop()
                let second = try await server.accept()
                // The second one comes once the first has found its topic.
                for number in 2...3 {
                    let command = try await second.command()
                    #expect(command["message"] == #"{"id":"m\#(number)","payload":"\#(number)"}"#)
                    second.send(ServerText.published(command, offset: number))
                    #expect(try await receipts[number - 1].outcome().position?.offset == number)
                }
            }
        }
    }

    @Test func `that a server refuses because it is going away is made again elsewhere`() async throws {
        try await FakeServer.run { server in
            let waits = Waits()
            try await withClient(of: server, waits: waits) { client in
                let first = try await server.accept()
                async let publishing = client.publish("orders", .string("x"), id: "m")
                for _ in 0..<3 { first.send(ServerText.error("UNAVAILABLE", try await first.command())) }
                first.send(ServerText.info("shutdown", #""reconnect_after_ms":70"#))
                try await first.close(1001, "SHUTDOWN")
                let second = try await server.accept()
                second.send(ServerText.published(try await second.command(), offset: 1))
                #expect(try await publishing.id == "m")
                #expect(waits.durations == [100, 200, 400, 70].map { .milliseconds($0) })
            }
        }
    }

    @Test func `that a rate limit refuses is made again when the server says, or throws what it said`() async throws {
        try await FakeServer.run { server in
            let waits = Waits()
            try await withClient(of: server, waits: waits) { client in
                let connection = try await server.accept()
                async let publishing = client.publish("orders", .string("x"), id: "m")
                connection.send(ServerText.rateLimited(try await connection.command(), retryAfter: 2500))
                connection.send(ServerText.published(try await connection.command(), offset: 1))
                #expect(try await publishing.id == "m")
                #expect(waits.durations == [.milliseconds(2500)])
                let refused = try client.enqueue("orders", .string("y"))
                connection.send(ServerText.rateLimited(try await connection.command(), retryAfter: 3_600_001))
                let error = await #expect(throws: ClientError.self) { try await refused.outcome() }
                #expect(error?.problem?.code == "RATE_LIMITED" && error?.problem?.retryAfter == 3601)
            }
        }
    }

    @Test func `throws when the queue is full, with a connection or without`() async throws {
        try await FakeServer.run { server in
            var options = ApusClient.Options()
            options.publishQueue = 2
            try await withClient(of: server, options: options) { client in
                let connection = try await server.accept()
                let receipts = try (1...2).map { try client.enqueue("orders", .string("\($0)")) }
                let error = #expect(throws: ClientError.self) { try client.enqueue("orders", .string("3")) }
                #expect(error?.code == .queueFull)
                connection.send(ServerText.published(try await connection.command(), offset: 1))
                _ = try await receipts[0].outcome()
                _ = try client.enqueue("orders", .string("3"))
                await #expect(throws: ClientError.self) { try await client.publish("orders", .string("4")) }
            }
        }
    }

    @Test func `that nobody waits for any more is not sent when it was not yet`() async throws {
        try await FakeServer.run { server in
            var options = ApusClient.Options()
            options.requiresConnection = false
            let (gate, opened) = AsyncStream.makeStream(of: Void.self)
            try await withClient(of: server, options: options) { client in
                let sent = try client.enqueue("orders", .string("sent"), id: "sent")
                let connection = try await server.accept()
                _ = try await connection.command()
                await connection.drop()
                let cancelled = Task {
                    for await _ in gate { break }
                    return try await sent.outcome()
                }
                cancelled.cancel()
                opened.finish()
                await #expect(throws: ClientError.self) { try await cancelled.value }
                let next = try client.enqueue("orders", .string("next"), id: "next")
                // Which connection it comes on depends on when the drop is seen.
                var command: [String: String] = [:]
                while !(command["message"] ?? "").contains("next") {
                    command = try await server.accept().command()
                }
                _ = next
            }
        }
    }

    @Test func `too big for the server fails alone, and the others have a new connection`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let first = try await server.accept()
                let subscription = try await first.subscribed(client, "orders", offset: 0)
                let small = try client.enqueue("orders", .string("small"))
                let big = try client.enqueue("orders", .string("much bigger"))
                let second = try await server.accept()
                for _ in 0..<2 { _ = try await second.command() }
                try await second.close(1009, "MESSAGE_TOO_BIG")
                let error = await #expect(throws: ClientError.self) { try await big.outcome() }
                #expect(error?.close?.code == 1009 && error?.problem?.code == "MESSAGE_TOO_BIG")
                let third = try await server.accept()
                third.send(ServerText.published(try await third.command(), offset: 1))
                #expect(try await small.outcome().position?.offset == 1)
                // It is known by now, so that it costs no connection.
                let again = #expect(throws: ClientError.self) { try client.enqueue("orders", .string("much bigger")) }
                #expect(again?.problem?.code == "MESSAGE_TOO_BIG")
                first.send(ServerText.event("orders", 1, offset: 1))
                #expect(try await subscription.number() == 1)
            }
        }
    }

    @Test func `to a topic that is gone after a reconnect waits for it, with backoff, and keeps its order`()
        async throws
    {
        try await FakeServer.run { server in
            let waits = Waits()
            try await withClient(of: server, waits: waits) { client in
                let first = try await server.accept()
                let receipts = try (1...3).map { try client.enqueue("orders", .string("\($0)"), id: "m\($0)") }
                for _ in 0..<3 { _ = try await first.command() }
                await first.drop()
                let second = try await server.accept()
                for _ in 0..<3 { second.send(ServerText.error("TOPIC_NOT_FOUND", try await second.command())) }
                for number in 1...3 {
                    let command = try await second.command()
                    #expect(command["message"]?.contains("m\(number)") == true)
                    second.send(ServerText.published(command, offset: number))
                    #expect(try await receipts[number - 1].outcome().position?.offset == number)
                }
                #expect(waits.durations == [100, 100, 200, 400].map { .milliseconds($0) })
            }
        }
    }

    @Test func `to a topic that stays gone fails with that reason when it has waited long enough`() async throws {
        try await FakeServer.run { server in
            let waits = Waits()
            var options = ApusClient.Options()
            options.publishWait = .seconds(2)
            try await withClient(of: server, waits: waits, options: options) { client in
                let first = try await server.accept()
                let receipt = try client.enqueue("orders", .string("x"))
                _ = try await first.command()
                await first.drop()
                let second = try await server.accept()
                let refusing = Task {
                    while true { second.send(ServerText.error("TOPIC_NOT_FOUND", try await second.command())) }
                }
                let error = await #expect(throws: ClientError.self) { try await receipt.outcome() }
                #expect(error?.problem?.code == "TOPIC_NOT_FOUND" && error?.topic == "orders")
                #expect(waits.elapsed - waits.durations[0] == .seconds(2))
                // Nor does anybody wait on the first connection, or for a topic that was never there.
                await #expect(throws: ClientError.self) { try await client.publish("typo", .string("x")) }
                #expect(waits.elapsed - waits.durations[0] == .seconds(2))
                refusing.cancel()
            }
        }
    }

    @Test func `goes out as soon as a subscription sees its topic again`() async throws {
        try await FakeServer.run { server in
            var environment = ReconnectingTransport.Environment()
            let waits = Waits()
            let waiting = Mailbox<Void>()
            // But for the reconnect, no wait ends by itself.
            environment.sleep = { duration in
                waits.add(duration)
                guard waits.durations.count > 1 else { return }
                waiting.put(())
                try await Task.sleep(for: .seconds(3600))
            }
            let transport = ReconnectingTransport(servers: [server.address], options: .init(), environment: environment)
            try await ApusClient.withConnection(transport) { client in
                let events = try await server.accept()
                var options = ApusClient.SubscribeOptions()
                options.waitsForTopic = true
                async let subscribing = client.subscribe("orders", options)
                events.send(ServerText.waiting(try await events.command()))
                let subscription = try await subscribing
                let receipt = try client.enqueue("orders", .string("x"))
                let first = try await server.accept()
                _ = try await first.command()
                await first.drop()
                let second = try await server.accept()
                second.send(ServerText.error("TOPIC_NOT_FOUND", try await second.command()))
                try await waiting.next()
                events.send(ServerText.info("topic_created", #""topic":"orders","epoch":"e2""#))
                #expect(try await subscription.notice() == .waiting)
                #expect(try await subscription.notice() == .topicCreated)
                second.send(ServerText.published(try await second.command(), offset: 1))
                #expect(try await receipt.outcome().position?.offset == 1)
            }
        }
    }

    @Test func `fails when the closure has ended`() async throws {
        try await FakeServer.run { server in
            let (escaped, receipt) = try await withClient(of: server) { client in
                (client, try client.enqueue("orders", .string("x")))
            }
            let lost = await #expect(throws: ClientError.self) { try await receipt.outcome() }
            #expect(lost?.code == .clientClosed)
            let error = await #expect(throws: ClientError.self) { try await escaped.publish("orders", .string("x")) }
            #expect(error?.code == .clientClosed)
            let other = await #expect(throws: ClientError.self) { try await escaped.subscribe("orders") }
            #expect(other?.code == .clientClosed)
        }
    }
}
