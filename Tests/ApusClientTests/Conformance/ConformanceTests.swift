import ApusBroker
import ApusClient
import ApusServer
import Logging
import ServiceLifecycle
import Testing

/// One body for the in-process API and for a client of a server: both do the same.
@Suite struct ConformanceTests {
    enum Kind: CaseIterable, Sendable { case inProcess, overNetwork }

    private func withSystem(_ kind: Kind, _ body: @escaping @Sendable (any PubSubSystem) async throws -> Void)
        async throws
    {
        switch kind {
        case .inProcess: try await body(InProcess())
        case .overNetwork:
            try await withServer { port, _ in
                let address = ServerAddress(host: "127.0.0.1", port: port)
                try await ApusClient.withConnection(to: address) { client in
                    try await body(OverNetwork(client: client, rest: RESTClient(address: address)))
                }
            }
        }
    }

    @Test(arguments: Kind.allCases)
    func `every subscriber gets every message once and in order, with key and offset`(kind: Kind) async throws {
        try await withSystem(kind) { system in
            try await system.createTopic("t")
            let feeds = [try await system.subscribe("t", Wish()), try await system.subscribe("t", Wish())]
            for number in 1...100 {
                let published = try await system.publish("t", ["\(number)"], key: number == 7 ? "k,\"key\":\"" : nil)
                #expect(published.offset == number && published.count == 1 && published.subscribers == 2)
            }
            for feed in feeds {
                for number in 1...100 {
                    let key = number == 7 ? "k,\"key\":\"" : nil
                    #expect(try await feed.seen() == .event(topic: "t", payload: "\(number)", key: key, offset: number))
                }
            }
        }
    }

    @Test(arguments: Kind.allCases)
    func `payloads come byte for byte, whatever they are`(kind: Kind) async throws {
        try await withSystem(kind) { system in
            try await system.createTopic("t")
            let feed = try await system.subscribe("t", Wish())
            let payloads = [
                #"{ "a" : [1, 2.50, "\"key\":\"x\""] }"#, "null", #""ü\n,\"offset\":12""#, #"{"payload":{"id":"x"}}"#,
                "[" + String(repeating: "1,", count: 40_000) + "1]",
            ]
            for payload in payloads {
                try await system.publish("t", [payload])
                guard case .event(_, let seen, nil, _)? = try await feed.seen() else {
                    Issue.record("no event of \(payload.prefix(40))")
                    continue
                }
                #expect(seen == payload)
            }
        }
    }

    @Test(arguments: Kind.allCases)
    func `a batch is published as one, and ids that are known are not published again`(kind: Kind) async throws {
        try await withSystem(kind) { system in
            try await system.putTopic("t", history: nil, dedupeWindow: .seconds(60))
            let feed = try await system.subscribe("t", Wish())
            let first = try await system.publish("t", ["1", "2", "3"])
            #expect(first.offset == 1 && first.count == 3)
            let id = "0b0e7b3a-52b8-4a41-9d64-5f3a2a6b7c10"
            _ = try await system.publish("t", ["4"], id: id)
            let again = try await system.publish("t", ["5"], id: id)
            #expect(again.isDuplicate && again.offset == 4)
            _ = try await system.publish("t", ["6"])
            for (payload, offset) in [("1", 1), ("2", 2), ("3", 3), ("4", 4), ("6", 5)] {
                #expect(try await feed.seen() == .event(topic: "t", payload: payload, offset: offset))
            }
        }
    }

    @Test(arguments: Kind.allCases)
    func `history is replayed from where it is asked for, and what is gone is told`(kind: Kind) async throws {
        try await withSystem(kind) { system in
            try await system.putTopic("t", history: 5, dedupeWindow: nil)
            var epoch = ""
            for number in 1...10 { epoch = try await system.publish("t", ["\(number)"]).epoch }
            func first(_ start: Wish.Start) async throws -> Seen? {
                try await system.subscribe("t", Wish(start: start)).seen()
            }
            func event(_ number: Int) -> Seen { .event(topic: "t", payload: "\(number)", offset: number) }
            #expect(try await first(.last(2)) == event(9))
            #expect(try await first(.all) == event(6))
            #expect(try await first(.age(.seconds(3600))) == event(6))
            #expect(try await first(.after(epoch: epoch, offset: 7)) == event(8))
            let late = try await system.subscribe("t", Wish(start: .after(epoch: epoch, offset: 2)))
            #expect(try await late.seen() == .missed(3...5))
            #expect(try await late.seen() == event(6))
            #expect(try await first(.after(epoch: "other", offset: 2)) == .newEpoch)
        }
    }

    @Test(arguments: Kind.allCases)
    func `a pattern has the events of all topics that match, those made later too`(kind: Kind) async throws {
        try await withSystem(kind) { system in
            try await system.createTopic("a.b")
            let feed = try await system.subscribe("a.*", Wish())
            try await system.publish("a.b", ["1"])
            #expect(try await feed.seen() == .event(topic: "a.b", payload: "1", offset: nil).without(feed))
            try await system.createTopic("a.c")
            try await system.createTopic("b.c")
            try await system.publish("b.c", ["2"])
            try await system.publish("a.c", ["3"])
            #expect(try await feed.seen() == .event(topic: "a.c", payload: "3", offset: nil).without(feed))
        }
    }

    @Test(arguments: Kind.allCases)
    func `a deleted topic ends its subscriptions behind its last message`(kind: Kind) async throws {
        try await withSystem(kind) { system in
            try await system.createTopic("t")
            let feed = try await system.subscribe("t", Wish())
            try await system.publish("t", ["1"])
            try await system.deleteTopic("t")
            #expect(try await feed.seen() == .event(topic: "t", payload: "1", offset: 1))
            #expect(try await feed.seen() == .topicDeleted)
            #expect(try await feed.seen() == nil)
        }
    }

    @Test(arguments: Kind.allCases)
    func `a subscription can wait for its topic, and for the next one of that name`(kind: Kind) async throws {
        try await withSystem(kind) { system in
            let feed = try await system.subscribe("t", Wish(waits: true))
            #expect(try await feed.seen() == .waiting)
            try await system.createTopic("t")
            try await system.publish("t", ["1"])
            #expect(try await feed.seen() == .topicCreated)
            #expect(try await feed.seen() == .event(topic: "t", payload: "1", offset: 1))
            try await system.deleteTopic("t")
            #expect(try await feed.seen() == .topicDeleted)
            #expect(try await feed.seen() == .waiting)
            try await system.createTopic("t")
            try await system.publish("t", ["2"])
            #expect(try await feed.seen() == .topicCreated)
            #expect(try await feed.seen() == .event(topic: "t", payload: "2", offset: 1))
        }
    }

    @Test(arguments: Kind.allCases)
    func `others' subscriptions are told of when they come and go`(kind: Kind) async throws {
        try await withSystem(kind) { system in
            try await system.createTopic("t")
            let feed = try await system.subscribe("t", Wish(hasPresence: true))
            let other = try await system.subscribe("t", Wish())
            #expect(try await feed.seen() == .joined)
            await other.cancel()
            #expect(try await feed.seen() == .left)
        }
    }

    @Test(arguments: Kind.allCases)
    func `what expired before it was asked for does not come`(kind: Kind) async throws {
        try await withSystem(kind) { system in
            try await system.createTopic("t")
            try await system.publish("t", ["1"], ttl: .milliseconds(1))
            try await Task.sleep(for: .milliseconds(50))
            try await system.publish("t", ["2"])
            let feed = try await system.subscribe("t", Wish(start: .all))
            #expect(try await feed.seen() == .event(topic: "t", payload: "2", offset: 2))
        }
    }

    @Test(arguments: Kind.allCases)
    func `what cannot be is refused with the same code`(kind: Kind) async throws {
        try await withSystem(kind) { system in
            await #expect(throws: SystemFailure.refused("TOPIC_NOT_FOUND")) { try await system.publish("t", ["1"]) }
            await #expect(throws: SystemFailure.refused("TOPIC_NOT_FOUND")) { try await system.subscribe("t", Wish()) }
            await #expect(throws: SystemFailure.refused("TOPIC_NOT_FOUND")) { try await system.deleteTopic("t") }
            try await system.createTopic("t")
            await #expect(throws: SystemFailure.refused("TOPIC_EXISTS")) { try await system.createTopic("t") }
            await #expect(throws: SystemFailure.refused("BAD_REQUEST")) { try await system.publish("a.*", ["1"]) }
            await #expect(throws: SystemFailure.refused("BAD_REQUEST")) { try await system.createTopic("a\n") }
        }
    }
}

extension Seen {
    /// Over the network a pattern's events come without offsets; a neighbour in the process sees them.
    fileprivate func without(_ feed: some PubSubFeed) -> Seen {
        guard feed is PubSub.Subscription, case .event(let topic, let payload, let key, _) = self else { return self }
        return .event(topic: topic, payload: payload, key: key, offset: 1)
    }
}

extension PubSubSystem {
    @discardableResult
    func publish(
        _ topic: String,
        _ payloads: [String],
        id: String? = nil,
        key: String? = nil
    ) async throws -> Published {
        try await publish(topic, payloads, id: id, key: key, ttl: nil)
    }

    @discardableResult
    func publish(_ topic: String, _ payloads: [String], ttl: Duration) async throws -> Published {
        try await publish(topic, payloads, id: nil, key: nil, ttl: ttl)
    }
}

/// Runs a server in this process, and calls `body` with its port and itself.
func withServer(_ body: @escaping @Sendable (Int, ApusService) async throws -> Void) async throws {
    let (ports, port) = AsyncStream.makeStream(of: Int.self)
    var configuration = ServerConfiguration()
    configuration.port = 0
    configuration.threads = 2
    let service = try ApusService(
        configuration: configuration,
        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    ) { addresses in
        port.yield(addresses.first?.port ?? 0)
        port.finish()
    }
    let group = ServiceGroup(services: [service], logger: Logger(label: "test"))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        let bound = try #require(await ports.first { _ in true })
        do {
            try await body(bound, service)
        } catch {
            await group.triggerGracefulShutdown()
            throw error
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
    }
}
