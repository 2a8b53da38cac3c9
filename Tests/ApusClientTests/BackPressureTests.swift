import Testing

@testable import ApusClient

@Suite("A slow consumer", .timeLimit(.minutes(1)))
struct BackPressureTests {
    private static let count = 4000
    /// What the sockets and the client may hold at most of the events below, which have about a kilobyte each.
    private static let held = 1000

    /// Small buffers everywhere, so that not much is on the way.
    private var options: ApusClient.Options {
        var options = ApusClient.Options()
        options.connection.receiveBufferBytes = 32768
        options.connection.inboxMessages = 16
        return options
    }

    @Test func `keeps the socket from being read, loses nothing, and can publish meanwhile`() async throws {
        try await FakeServer.run(sendBuffer: 32768) { server in
            try await withClient(of: server, options: options) { client in
                let connection = try await server.accept()
                var options = ApusClient.SubscribeOptions()
                options.buffer = 8
                let subscription = try await connection.subscribed(client, "orders", options, offset: 0)
                connection.send((1...Self.count).map { ServerText.event("orders", $0, offset: $0, padding: 1000) })
                try await connection.waitUntilFull()
                // Acks come on another connection, so a consumer that publishes before it goes on does not wait for
                // itself. And it gives an unbounded client the time to show itself.
                let publishing = Task {
                    for number in 1...200 {
                        let outcome = try await client.publish("results", .string("x"))
                        #expect(outcome.position?.offset == number)
                    }
                }
                let publishes = try await server.accept()
                for number in 1...200 {
                    publishes.send(ServerText.published(try await publishes.command(), offset: number))
                }
                try await publishing.value
                #expect(connection.unsentMessages > Self.count - Self.held)
                #expect(try await subscription.numbers(Self.count) == Array(1...Self.count))
            }
        }
    }

    @Test func `does not keep another subscription from being made`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let connection = try await server.accept()
                var options = ApusClient.SubscribeOptions()
                options.buffer = 2
                let slow = try await connection.subscribed(client, "a", options, offset: 0)
                connection.send((1...100).map { ServerText.event("a", $0, offset: $0) })
                let other = try await connection.subscribed(client, "b", offset: 0)
                connection.send(ServerText.event("b", 1, offset: 1))
                #expect(try await slow.numbers(100) == Array(1...100))
                #expect(try await other.number() == 1)
            }
        }
    }

    @Test func `that goes away lets the others go on`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let connection = try await server.accept()
                var options = ApusClient.SubscribeOptions()
                options.buffer = 2
                let slow = try await connection.subscribed(client, "a", options, offset: 0)
                let other = try await connection.subscribed(client, "b", offset: 0)
                connection.send((1...100).map { ServerText.event("a", $0, offset: $0) })
                connection.send(ServerText.event("b", 1, offset: 1))
                #expect(try await slow.number() == 1)
                await slow.unsubscribe()
                #expect(try await other.number() == 1)
            }
        }
    }

    @Test func `gets what waits for it after the connection is gone, and then the rest`() async throws {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let first = try await server.accept()
                var options = ApusClient.SubscribeOptions()
                options.buffer = 2
                let subscription = try await first.subscribed(client, "a", options, offset: 0)
                first.send((1...50).map { ServerText.event("a", $0, offset: $0) })
                try await first.close(1008, "SLOW_CONSUMER")
                #expect(try await subscription.numbers(50) == Array(1...50))
                let second = try await server.accept()
                let command = try await second.command()
                #expect(command["since"] == #"{"epoch":"e1","offset":50}"#)
                second.send(ServerText.subscribed(command, offset: 50, recovered: true))
                second.send(ServerText.event("a", 51, offset: 51))
                #expect(try await subscription.number() == 51)
            }
        }
    }
}

@Suite("The buffer of a subscription", .timeLimit(.minutes(1)))
struct EventBufferTests {
    private func item(_ offset: Int, bytes: Int = 0) -> EventBuffer.Item {
        let payload = JSONText(unchecked: String(repeating: "1", count: bytes))
        let position = ApusClient.Position(epoch: "e", offset: offset)
        let event = ApusClient.Event(
            topic: "t",
            id: "\(offset)",
            payload: payload,
            message: JSONText(unchecked: ""),
            key: nil,
            position: position,
            time: ""
        )
        return EventBuffer.Item(delivery: .event(event), feed: 0, position: position)
    }

    @Test func `takes no more than its bound, unless it must`() async throws {
        let buffer = EventBuffer(feeds: 1, limit: 2, byteLimit: 1 << 20)
        #expect(buffer.push(item(1)) && buffer.push(item(2)))
        #expect(!buffer.push(item(3)))
        #expect(buffer.push(item(3), isForced: true))
        #expect(!buffer.push(item(4)))
        #expect(try await buffer.take(limit: 9).compactMap(\.event?.id) == ["1", "2", "3"])
        await buffer.waitForRoom()
        #expect(buffer.push(item(4)))
    }

    @Test func `is bounded by bytes, but for one event that is alone`() {
        let buffer = EventBuffer(feeds: 1, limit: 100, byteLimit: 1000)
        #expect(buffer.push(item(1, bytes: 2000)))
        #expect(!buffer.push(item(2)))
    }

    @Test func `gives what it has before it ends, with the failure last`() async throws {
        let buffer = EventBuffer(feeds: 2, limit: 9, byteLimit: 1000)
        _ = buffer.push(item(1))
        buffer.endFeed()
        #expect(buffer.push(item(2)))
        buffer.finish(ClientError(.closed, "gone"))
        #expect(buffer.push(item(3)))
        #expect(try await buffer.take(limit: 9).count == 2)
        await #expect(throws: ClientError.self) { try await buffer.take(limit: 9) }
        #expect(buffer.positions[0]?.offset == 2)
    }

    @Test func `wakes a waiting consumer when something comes, when it is cancelled, and at the end of the last feed`()
        async throws
    {
        let buffer = EventBuffer(feeds: 1, limit: 9, byteLimit: 1000)
        async let first = buffer.take(limit: 1)
        _ = buffer.push(item(1))
        #expect(try await first.count == 1)
        let cancelled = Task { try await buffer.take(limit: 1) }
        cancelled.cancel()
        let error = await #expect(throws: ClientError.self) { try await cancelled.value }
        #expect(error?.code == .cancelled)
        async let last = buffer.take(limit: 1)
        buffer.endFeed()
        #expect(try await last.isEmpty)
    }
}
