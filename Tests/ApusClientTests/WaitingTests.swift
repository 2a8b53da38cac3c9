import Testing

@testable import ApusClient

@Suite("After a reconnect", .timeLimit(.minutes(1)))
struct WaitingTests {
    @Test func `a topic that is gone is waited for, and holds up no other`() async throws {
        try await FakeServer.run { server in
            let waits = Waits()
            try await withClient(of: server, waits: waits) { client in
                let first = try await server.accept()
                let one = try await first.subscribed(client, "a", offset: 5)
                let other = try await first.subscribed(client, "b", offset: 0)
                await first.drop()
                let second = try await server.accept()
                let command = try await second.command()
                #expect(command["wait"] == "true")
                second.send(ServerText.waiting(command))
                second.send(ServerText.subscribed(try await second.command(), offset: 0, recovered: true))
                second.send(ServerText.event("b", 1, offset: 1))
                #expect(try await one.notice() == .waiting)
                #expect(try await other.number() == 1)
                second.send(ServerText.info("topic_created", #""topic":"a","epoch":"e2""#))
                second.send(ServerText.event("a", 1, offset: 1))
                #expect(try await one.notice() == .gap(.newEpoch))
                #expect(one.position == .init(epoch: "e1", offset: 5))
                #expect(try await one.notice() == .topicCreated)
                #expect(one.position == .init(epoch: "e2", offset: 0))
                #expect(try await one.number() == 1)
                #expect(waits.durations == [.milliseconds(100)])
            }
        }
    }

    @Test func `a topic that is gone is asked for again and again where the server does not know of waiting`()
        async throws
    {
        try await FakeServer.run { server in
            let waits = Waits()
            try await withClient(of: server, waits: waits) { client in
                let first = try await server.accept()
                let subscription = try await first.subscribed(client, "orders", offset: 5)
                await first.drop()
                let second = try await server.accept()
                for _ in 0..<4 { second.send(ServerText.error("TOPIC_NOT_FOUND", try await second.command())) }
                let command = try await second.command()
                #expect(command["since"] == #"{"epoch":"e1","offset":5}"#)
                second.send(ServerText.subscribed(command, epoch: "e2", offset: 0, recovered: false))
                second.send(ServerText.event("orders", 1, offset: 1))
                #expect(try await subscription.notice() == .waiting)
                #expect(try await subscription.notice() == .gap(.newEpoch))
                #expect(try await subscription.notice() == .topicCreated)
                #expect(try await subscription.number() == 1)
                #expect(waits.durations == [100, 100, 200, 400, 800].map { .milliseconds($0) })
            }
        }
    }

    @Test func `a deletion that is told ends a subscription at a server that goes on waiting, or is waited over`()
        async throws
    {
        try await FakeServer.run { server in
            try await withClient(of: server) { client in
                let first = try await server.accept()
                let ending = try await first.subscribed(client, "a", offset: 0)
                var options = ApusClient.SubscribeOptions()
                options.waitsForTopic = true
                let waiting = try await first.subscribed(client, "b", options, offset: 0)
                await first.drop()
                let second = try await server.accept()
                for _ in 0..<2 {
                    second.send(ServerText.subscribed(try await second.command(), offset: 0, recovered: true))
                }
                for topic in ["a", "b"] { second.send(ServerText.info("topic_deleted", #""topic":"\#(topic)""#)) }
                #expect(try await ending.notice() == .topicDeleted)
                #expect(try await ending.next() == nil)
                let unsubscribe = try await second.command()
                #expect(unsubscribe["type"] == "unsubscribe" && unsubscribe["topic"] == "a")
                #expect(try await waiting.notice() == .topicDeleted)
                #expect(try await waiting.notice() == .waiting)
                let command = try await second.command()
                #expect(command["topic"] == "b" && command["since"] == "all" && command["wait"] == "true")
                second.send(ServerText.waiting(command))
                second.send(ServerText.info("topic_created", #""topic":"b","epoch":"e2""#))
                #expect(try await waiting.notice() == .topicCreated)
                // Known to go on by itself, it is not asked again: that could cross with what it says.
                second.send(ServerText.info("topic_deleted", #""topic":"b""#))
                second.send(ServerText.info("topic_created", #""topic":"b","epoch":"e3""#))
                second.send(ServerText.event("b", 1, offset: 1))
                #expect(try await waiting.notice() == .topicDeleted)
                #expect(try await waiting.notice() == .waiting)
                #expect(try await waiting.notice() == .topicCreated)
                #expect(try await waiting.number() == 1)
                await waiting.unsubscribe()
                #expect(try await second.command()["type"] == "unsubscribe")
            }
        }
    }
}
