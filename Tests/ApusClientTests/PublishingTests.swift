import Testing

@testable import ApusClient

@Suite("A publish", .timeLimit(.minutes(1)))
struct PublishingTests {
    @Test("sends its fields and has the outcome that the server tells")
    func outcome() async throws {
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

    @Test("of a batch is one command with one outcome")
    func batch() async throws {
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

    @Test("that the server refuses throws its code, and the others go on")
    func refusal() async throws {
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

    @Test("without an answer is made again on the next connection, in its order and with its id")
    func republishing() async throws {
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
                for number in 2...3 {
                    let command = try await second.command()
                    #expect(command["message"] == #"{"id":"m\#(number)","payload":"\#(number)"}"#)
                    second.send(ServerText.published(command, offset: number))
                    #expect(try await receipts[number - 1].outcome().position?.offset == number)
                }
            }
        }
    }

    @Test("that a server refuses because it is going away is made again elsewhere")
    func unavailable() async throws {
        try await FakeServer.run { server in
            let waits = Waits()
            try await withClient(of: server, waits: waits) { client in
                let first = try await server.accept()
                async let publishing = client.publish("orders", .string("x"), id: "m")
                first.send(ServerText.error("UNAVAILABLE", try await first.command()))
                first.send(ServerText.info("shutdown", #""reconnect_after_ms":70"#))
                try await first.close(1001, "SHUTDOWN")
                let second = try await server.accept()
                second.send(ServerText.published(try await second.command(), offset: 1))
                #expect(try await publishing.id == "m")
                #expect(waits.durations == [.milliseconds(70)])
            }
        }
    }

    @Test("throws when the queue is full, with a connection or without")
    func fullQueue() async throws {
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

    @Test("that nobody waits for any more is not sent when it was not yet")
    func cancelling() async throws {
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

    @Test("too big for the server fails with the close, and the next one has a new connection")
    func tooBig() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let first = try await server.accept()
                let receipt = try client.enqueue("orders", .string("big"))
                _ = try await first.command()
                try await first.close(1009, "MESSAGE_TOO_BIG")
                let error = await #expect(throws: ClientError.self) { try await receipt.outcome() }
                #expect(error?.close?.code == 1009)
                async let publishing = client.publish("orders", .string("small"))
                let second = try await server.accept()
                second.send(ServerText.published(try await second.command(), offset: 1))
                _ = try await publishing
            }
        }
    }

    @Test("fails when the closure has ended")
    func closure() async throws {
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

@Suite("The publish queue")
struct PublishQueueTests {
    private func queue(_ count: Int, limit: Int = 10, byteLimit: Int = 1000) throws -> PublishQueue {
        var queue = PublishQueue(limit: limit, byteLimit: byteLimit)
        for _ in 0..<count { _ = try queue.append(topic: "t", ticket: Ticket()) { "text\($0)" } }
        return queue
    }

    @Test("gives what is unsent in order and once, as much as a write should have")
    func sending() throws {
        var queue = try queue(3)
        #expect(queue.takeUnsent(byteLimit: 6) == ["text1", "text2"])
        #expect(queue.takeUnsent(byteLimit: 6) == ["text3"])
        #expect(queue.takeUnsent(byteLimit: 6) == [])
    }

    @Test("gives everything again after a reconnect but what was answered or abandoned")
    func again() throws {
        var queue = try queue(5)
        _ = queue.takeUnsent(byteLimit: 20)
        #expect(queue.answered("1") != nil)
        #expect(queue.answered("1") == nil)
        #expect(queue.answered("5") == nil)
        queue.deferred("2")
        #expect(queue.answered("2") == nil)
        queue.abandon(3)
        queue.abandon(5)
        queue.disconnected()
        #expect(queue.takeUnsent(byteLimit: 1000) == ["text2", "text4"])
        #expect(queue.answered("2") != nil && queue.answered("4") != nil)
        #expect(queue.isEmpty)
    }

    @Test("is bounded by messages and bytes, but for one that is alone")
    func bounds() throws {
        var full = try queue(10)
        #expect(throws: ClientError.self) { try full.append(topic: "t", ticket: Ticket()) { $0 } }
        var heavy = try queue(1, byteLimit: 8)
        #expect(throws: ClientError.self) { try heavy.append(topic: "t", ticket: Ticket()) { "text\($0)" } }
        _ = heavy.takeUnsent(byteLimit: 1000)
        _ = heavy.answered("1")
        #expect(try heavy.append(topic: "t", ticket: Ticket()) { "much longer\($0)" } == 2)
    }
}
