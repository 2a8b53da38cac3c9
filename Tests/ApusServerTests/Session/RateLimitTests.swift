import ApusAccess
import ApusBroker
import ApusProtocol
import ApusTesting
import Testing

@testable import ApusServer

/// Rate limits of WebSocket clients. All rates are one an hour, so that no test fills a bucket by taking its time.
@Suite struct RateLimitTests {
    private static let hourly = Rate(1, per: .hour)

    private func loop(
        command: Int? = nil,
        publish: Int? = nil,
        bytes: Int? = nil,
        topic: Int? = nil,
        _ change: (inout ServerConfiguration) -> Void = { _ in }
    ) throws -> EmbeddedLoop {
        try .withTopic(history: 1000) { settings in
            if let command { (settings.rates.command, settings.rates.commandBurst) = (Self.hourly, command) }
            if let publish { (settings.rates.publish, settings.rates.publishBurst) = (Self.hourly, publish) }
            if let bytes { (settings.rates.publishBytes, settings.rates.publishBytesBurst) = (Self.hourly, bytes) }
            if let topic { (settings.rates.topic, settings.rates.topicBurst) = (Self.hourly, topic) }
            change(&settings)
        }
    }

    private func ping(_ id: Int) -> ClientFrame { .text(#"{"type":"ping","request_id":\#(id)}"#) }

    private static let limited = "error RATE_LIMITED"

    // MARK: Commands

    @Test func `commands beyond the rate are not done, and the answer says when to try again`() throws {
        let owner = try loop(command: 3)
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe(), .publish(1), ping(3), ping(4), .publish(5), .text("no JSON"))
        let lines = try peer.lines()
        #expect(lines.count == 7)
        #expect(lines[2] == #"{"type":"pong","request_id":3"#)
        let wait = try #require(lines[3].firstMatch(of: /"retry_after_ms":(\d+)}$/).flatMap { Int($0.1) })
        #expect((3_000_000...3_600_000).contains(wait))
        #expect(lines[3].hasPrefix(#"{"type":"error","request_id":4,"error":{"code":"RATE_LIMITED","message":"This"#))
        #expect(lines[4...5].allSatisfy { $0.contains("RATE_LIMITED") })
        #expect(lines[6].contains("event"))
        #expect(owner.context.counters.limited == [.command: 3])
        #expect(owner.context.counters.errors[.rateLimited] == 3)
        #expect(owner.broker.topic(named: "t")?.publishedCount == 1)
    }

    @Test func `each connection has its own commands`() throws {
        let owner = try loop(command: 2)
        let (peer, other) = (try EmbeddedConnection.pubSub(on: owner), try EmbeddedConnection.pubSub(on: owner))
        for number in 1...5 { try peer.send(ping(number)) }
        #expect(try peer.summary() == ["pong", "pong"] + Array(repeating: Self.limited, count: 3))
        try other.send(ping(1), ping(2))
        #expect(try other.summary() == ["pong", "pong"])
    }

    @Test func `a batch is one command, and what is no command counts too`() throws {
        let peer = try EmbeddedConnection.pubSub(on: loop(command: 2))
        try peer.send(.publish(batch: [1, 2, 3, 4]), .text("{}"), ping(3))
        #expect(try peer.summary() == ["ack", "error BAD_REQUEST", Self.limited])
    }

    @Test func `who sends ten times as much as is done is cut, and nobody else`() throws {
        let owner = try loop(command: 2)
        let (peer, other) = (try EmbeddedConnection.pubSub(on: owner), try EmbeddedConnection.pubSub(on: owner))
        try other.send(.subscribe())
        try peer.send(bytes: (1...21).flatMap { ping($0).bytes })
        #expect(try peer.summary() == ["pong", "pong"] + Array(repeating: Self.limited, count: 19))
        try peer.send(ping(22), ping(23))
        #expect(try peer.summary() == [Self.limited, "1008 RATE_LIMITED"])
        try other.send(.publish(1))
        #expect(try other.summary() == ["ack", "ack", "event 1"])
        #expect(owner.context.counters.closed == ["RATE_LIMITED": 1])
    }

    @Test func `a server that stops says so, whatever the limit`() throws {
        let owner = try loop(command: 1)
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(ping(1))
        owner.context.refuseCommands()
        try peer.send(ping(2))
        #expect(try peer.summary() == ["pong", "error UNAVAILABLE"])
    }

    // MARK: Publishes

    @Test func `the messages of a client are counted over all its connections, and a batch is taken or refused whole`()
        throws
    {
        let owner = try loop(publish: 4)
        let (peer, second) = (try EmbeddedConnection.pubSub(on: owner), try EmbeddedConnection.pubSub(on: owner))
        try peer.send(.publish(1), .publish(batch: [2, 3]), .publish(batch: [4, 5]))
        #expect(try peer.summary() == ["ack", "ack", Self.limited])
        try second.send(.publish(6), .publish(7), ping(8))
        #expect(try second.summary() == ["ack", Self.limited, "pong"])
        #expect(owner.broker.topic(named: "t")?.publishedCount == 4)
        #expect(owner.context.counters.limited == [.publish: 2])
    }

    @Test func `a batch larger than the burst passes when nothing was used up`() throws {
        let peer = try EmbeddedConnection.pubSub(on: loop(publish: 2))
        try peer.send(.publish(batch: [1, 2, 3, 4, 5]), .publish(6))
        #expect(try peer.summary() == ["ack", Self.limited])
    }

    @Test func `bytes are those of the messages`() throws {
        let size = ClientFrame.message(1).utf8.count
        let owner = try loop(bytes: 3 * size)
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.publish(1), .publish(batch: [2, 3]), .publish(4), ping(5))
        #expect(try peer.summary() == ["ack", "ack", Self.limited, "pong"])
        #expect(owner.context.counters.limited == [.publishBytes: 1])
    }

    @Test func `what is refused for another reason is not charged`() throws {
        let rules = try #require(JSONValue(#"[{"actions":["publish"],"topics":["t","missing"]}]"#))
        let ring = try KeyRing([APIKey(id: "k", digest: KeyDigest(of: "k"), rules: RuleList(rules), expires: nil)])
        var settings = ServerConfiguration()
        (settings.rates.publish, settings.rates.publishBurst) = (Self.hourly, 2)
        let access = AccessControl(AccessPolicy(keys: ring, tokens: nil, anonymous: nil))
        let owner = try EmbeddedLoop(settings: settings, access: access)
        try owner.broker.createTopic(named: "t")
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.text(#"{"type":"auth","api_key":"k"}"#))
        for number in 1...3 {
            try peer.send(.publish(number, to: "missing"), .publish(number, to: "forbidden"))
            try peer.send(.publish(batch: [number], to: "missing"), .publish(batch: [number], to: "forbidden"))
        }
        #expect(try peer.summary().filter { $0.contains("RATE") }.isEmpty)
        try peer.send(.publish(1), .publish(2), .publish(3))
        #expect(try peer.summary() == ["ack", "ack", Self.limited])
    }

    @Test func `a key has its own budget, wherever it is used`() throws {
        let all = RuleList(try #require(JSONValue(#"[{"actions":["*"],"topics":[">"]}]"#)))
        let keys = ["a", "b"].map { APIKey(id: $0, digest: KeyDigest(of: $0), rules: all, expires: nil) }
        let policy = AccessPolicy(keys: try KeyRing(keys), tokens: nil, anonymous: Rights(all, subject: nil))
        var settings = ServerConfiguration()
        (settings.rates.publish, settings.rates.publishBurst) = (Self.hourly, 1)
        let owner = try EmbeddedLoop(settings: settings, access: AccessControl(policy))
        try owner.broker.createTopic(named: "t")
        func auth(_ key: String) -> ClientFrame { .text(#"{"type":"auth","api_key":"\#(key)"}"#) }
        let (peer, other) = (try EmbeddedConnection.pubSub(on: owner), try EmbeddedConnection.pubSub(on: owner))
        // Without a credential the address counts, then the key.
        try peer.send(.publish(1), .publish(2), auth("a"), .publish(3), .publish(4))
        #expect(try peer.summary() == ["ack", Self.limited, "ack", "ack", Self.limited])
        try other.send(.publish(5), auth("b"), .publish(6), auth("a"), .publish(7))
        #expect(try other.summary() == [Self.limited, "ack", "ack", "ack", Self.limited])
        #expect(owner.context.budgets.count == 3)
    }

    // MARK: Topics

    @Test func `a topic's rate is everybody's, and nobody is cut for it`() throws {
        let owner = try loop(topic: 2)
        try owner.broker.createTopic(named: "u")
        let (peer, other) = (try EmbeddedConnection.pubSub(on: owner), try EmbeddedConnection.pubSub(on: owner))
        try other.send(.subscribe("u"))
        try peer.send(bytes: (1...50).flatMap { ClientFrame.publish($0).bytes })
        #expect(try peer.summary() == ["ack", "ack"] + Array(repeating: Self.limited, count: 48))
        try other.send(.publish(51), .publish(52, to: "u"))
        #expect(try other.summary() == ["ack", Self.limited, "ack", "event 52"])
        #expect(owner.context.hub.report().rateLimited == 49)
        #expect(peer.isOpen)
    }

    @Test func `what a topic's rate refuses is not charged to the client`() throws {
        let owner = try loop(publish: 3, topic: 1)
        try owner.broker.createTopic(named: "u")
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.publish(1), .publish(2), .publish(batch: [3, 4]), .publish(5, to: "u"), .publish(6, to: "v"))
        let refused = ["ack", Self.limited, Self.limited, "ack", "error TOPIC_NOT_FOUND"]
        #expect(try peer.summary() == refused)
        try owner.broker.createTopic(named: "v")
        try owner.broker.createTopic(named: "w")
        try peer.send(.publish(7, to: "v"), .publish(8, to: "w"))
        #expect(try peer.summary() == ["ack", Self.limited])
    }

    // MARK: Staging and waiting

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `replies and logs are the same, however the commands arrive`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let frames = (1...80).map { number -> ClientFrame in
            let requestID = #","request_id":\#(number)"#
            switch Int.random(in: 1...12, using: &generator) {
            case 1: return .publish(batch: [number, number + 1], requestID)
            case 2: return ping(number)
            case 3: return .publish(number, to: "missing", requestID)
            case 4: return .publish(number, to: "u", requestID)
            case 5: return .text("no JSON")
            default: return .publish(number, requestID)
            }
        }
        // Large enough for the connection not to be cut.
        let command = Int.random(in: 20...70, using: &generator)
        let publish = Int.random(in: 10...60, using: &generator)
        let queue = [2, 1000].randomElement(using: &generator) ?? 2
        func outcome(_ pieces: [[ClientFrame]]) throws -> [String] {
            let owner = try loop(command: command, publish: publish) {
                ($0.delivery.queue, $0.delivery.overflow) = (queue, .throttle)
            }
            _ = try owner.broker.putTopic(named: "u") { $0.dedupeWindow = 60_000 }
            let reader = try EmbeddedConnection.pubSub(on: owner)
            try reader.send(.subscribe())
            reader.setWritable(false)
            let peer = try EmbeddedConnection.pubSub(on: owner)
            for piece in pieces { try peer.send(bytes: piece.flatMap(\.bytes)) }
            var replies = try peer.lines()
            reader.setWritable(true)
            replies += try reader.lines() + peer.lines()
            replies = replies.filter { !$0.contains(#""event""#) }
                .map { $0.replacing(/"retry_after_ms":\d+/, with: "") }
            let counters = owner.context.counters
            let limited = RateLimits.Name.allCases.map { counters.limited[$0, default: 0] }
            let published = owner.broker.topic(named: "t")?.publishedCount ?? 0
            return replies + ["\(limited) \(counters.count(of: .publish)) \(published)"]
        }
        let single = try outcome(frames.map { [$0] })
        #expect(try outcome([frames]) == single)
        let cuts = frames.indices.filter { _ in Bool.random(using: &generator) }
        let pieces = zip([0] + cuts, cuts + [frames.count]).map { Array(frames[$0..<$1]) }
        #expect(try outcome(pieces) == single)
    }

    @Test func `a publish that has to wait is charged once, and so are those behind it`() throws {
        let owner = try loop(command: 20, publish: 8) { ($0.delivery.queue, $0.delivery.overflow) = (2, .throttle) }
        let reader = try EmbeddedConnection.pubSub(on: owner)
        try reader.send(.subscribe())
        reader.setWritable(false)
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(bytes: (1...9).flatMap { ClientFrame.publish($0).bytes } + ping(10).bytes)
        #expect(try peer.summary() == ["ack", "ack"])
        reader.setWritable(true)
        #expect(try reader.summary().filter { $0.hasPrefix("event") } == (1...8).map { "event \($0)" })
        #expect(try peer.summary() == Array(repeating: "ack", count: 6) + [Self.limited, "pong"])
        #expect(owner.context.counters.limited == [.publish: 1])
    }

    // MARK: While the server runs

    @Test func `other limits hold at once for open connections, and what was used up still counts`() throws {
        let owner = try loop()
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(ping(1), .publish(1))
        var rates = ServerConfiguration.Rates()
        (rates.command, rates.commandBurst) = (Self.hourly, 2)
        owner.context.limitRates(RateLimits(rates))
        try peer.send(ping(2), ping(3), ping(4))
        (rates.commandBurst, rates.publish) = (1, Self.hourly)
        owner.context.limitRates(RateLimits(rates))
        try peer.send(ping(5))
        owner.context.limitRates(RateLimits(ServerConfiguration.Rates()))
        try peer.send(ping(6), .publish(7))
        let expected = ["pong", "ack", "pong", "pong", Self.limited, Self.limited, "pong", "ack"]
        #expect(try peer.summary() == expected)
    }

    @Test func `without limits nothing is kept`() throws {
        let owner = try loop()
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.publish(1))
        #expect((peer.connection.session as? PubSubSession)?.limiter == nil)
        #expect(owner.context.budgets.count == 0)
    }
}
