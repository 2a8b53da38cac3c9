import Testing

@testable import apus

@Suite("What doctor finds about NATS servers")
struct NATSChecksTests {
    private static let names = (0..<8).map { "apus_\($0)" } + ["apus_registry"]

    /// Three servers with everything a node wants.
    private static let good: NATSFacts = {
        var facts = NATSFacts()
        facts.addresses = [.init(url: "nats://a:4222"), .init(url: "nats://b:4222")]
        facts.servers = ["a", "b", "c"].map { name in
            .init(name: name, version: "2.11.0", syncsAlways: true, maxPayload: 4 << 20, clockAhead: 0.01)
        }
        facts.maxPayload = 4 << 20
        facts.account = .init(streams: 9)
        facts.streams = names.enumerated().map { index, name in
            let order = [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"]][index % 3]
            return .init(name: name, leader: order[0], copies: order.dropFirst().map { .init(server: $0) })
        }
        facts.permissions = .init(user: "node")
        facts.roundTrips = [.milliseconds(1), .microseconds(300), .milliseconds(2)]
        return facts
    }()

    /// The checks that are not well, with their levels, after a change of what is good.
    private func faults(
        isSynced: Bool = false,
        acceptsUnsynced: Bool = false,
        replicas: Int = 3,
        _ change: (inout NATSFacts) -> Void
    ) -> [String: Finding.Level] {
        let bad = findings(isSynced: isSynced, acceptsUnsynced: acceptsUnsynced, replicas: replicas, change)
            .filter { $0.level != .ok }
        for finding in bad { #expect(!finding.why.isEmpty && !finding.advice.isEmpty, "\(finding)") }
        return Dictionary(bad.map { ($0.check, $0.level) }) { $1 }
    }

    private func findings(
        isSynced: Bool = false,
        acceptsUnsynced: Bool = false,
        replicas: Int = 3,
        _ change: (inout NATSFacts) -> Void
    ) -> [Finding] {
        var facts = Self.good
        change(&facts)
        return NATSChecks(
            facts: facts,
            prefix: "apus",
            replicas: replicas,
            isSynced: isSynced,
            acceptsUnsynced: acceptsUnsynced,
            maxMessage: 1 << 20
        ).findings()
    }

    @Test func `is nothing where all is well`() {
        #expect(faults { _ in } == [:])
        let checks = findings { _ in }.map(\.check)
        #expect(
            checks == [
                "connection", "connection", "version", "JetStream", "permissions", "round trip", "clock", "max_payload",
                "sync", "copies", "account", "streams", "leaders", "behind",
            ]
        )
    }

    @Test func `about connections says what failed and what to do`() {
        let sentence = "The NATS server at nats://a:4222 cannot be reached; see that it runs."
        #expect(faults { $0.addresses[0].failure = sentence } == ["connection": .warn])
        let all = findings { facts in
            for index in facts.addresses.indices { facts.addresses[index].failure = sentence }
        }
        #expect(all.map(\.level) == [.fail, .fail])
        #expect(
            all[0].found == "The NATS server at nats://a:4222 cannot be reached" && all[0].advice == "see that it runs"
        )
    }

    @Test(arguments: [
        ("2.11.0", true), ("2.12.1-beta", true), ("3.0.0", true), ("2.10.29", false), ("1.4", false), ("", false),
    ])
    func `about versions`(version: String, isRecent: Bool) {
        #expect(NATSChecks.isRecent(version) == isRecent)
        #expect(faults { $0.servers[1].version = version } == (isRecent ? [:] : ["version": .fail]))
    }

    @Test func `about JetStream ends what can be said of streams`() {
        let found = findings { $0.jetStreamFailure = "The NATS server has no JetStream; set `jetstream`." }
        #expect(found.filter { $0.level == .fail }.map(\.check) == ["JetStream"])
        #expect(!found.contains { $0.check == "streams" })
        #expect(faults { $0.account?.level = 0 } == ["version": .fail])
    }

    @Test(
        arguments: [
            (true as Bool?, false, false, nil), (false, false, false, .fail), (false, true, false, .fail),
            (false, false, true, .warn), (nil, false, false, .fail), (nil, false, true, .warn), (nil, true, false, nil),
        ] as [(Bool?, Bool, Bool, Finding.Level?)]
    )
    func `about writing to the disk`(syncs: Bool?, isSynced: Bool, accepts: Bool, level: Finding.Level?) {
        let found = faults(isSynced: isSynced, acceptsUnsynced: accepts) { facts in
            for index in facts.servers.indices { facts.servers[index].syncsAlways = syncs }
        }
        #expect(found["sync"] == level)
    }

    @Test(arguments: [(4 << 20, nil), (1 << 20, .warn), (512 << 10, .fail)] as [(Int, Finding.Level?)])
    func `about the largest message`(bytes: Int, level: Finding.Level?) {
        #expect(faults { $0.maxPayload = bytes }["max_payload"] == level)
        #expect(faults { $0.servers[2].maxPayload = bytes }["max_payload"] == level)
    }

    @Test func `about copies`() {
        #expect(faults(replicas: 5) { _ in } == ["copies": .fail])
        #expect(faults(replicas: 1) { _ in } == ["copies": .warn])
        #expect(faults { $0.servers[0].hasJetStream = false } == ["copies": .fail])
        let unseen: (inout NATSFacts) -> Void = { facts in
            facts.servers = [.init(name: "a", version: "2.11.0", syncsAlways: true)]
        }
        #expect(faults(unseen) == ["copies": .warn])
    }

    @Test func `about the account`() {
        #expect(faults { $0.account?.mostConsumers = 10 } == ["account": .fail])
        #expect(faults { $0.account?.mostStreams = 9 } == [:])
        let isNearlyFull: (inout NATSFacts) -> Void = { facts in
            facts.account?.storage = 90
            facts.account?.mostStorage = 100
        }
        #expect(faults(isNearlyFull) == ["account": .warn])
        let missing: (inout NATSFacts) -> Void = { facts in
            facts.account?.needsMaxBytes = true
            for index in facts.streams.indices { facts.streams[index].isThere = false }
        }
        #expect(faults(missing) == ["account": .fail])
    }

    @Test func `about streams`() {
        #expect(faults { $0.streams[3].isThere = false } == ["streams": .warn])
        #expect(faults { $0.streams[3].difference = "max_age is 5, and 0 is needed" } == ["streams": .fail])
        #expect(faults { $0.streams[3].failure = "timedOut" } == ["streams": .fail])
        #expect(faults { $0.streams[3].leader = nil } == ["streams": .fail])
    }

    @Test func `about leaders and copies that are behind`() {
        let one = faults { facts in
            for index in facts.streams.indices { facts.streams[index].leader = "a" }
        }
        #expect(one == ["leaders": .warn])
        let late = findings { facts in
            facts.streams[0].copies[0] = .init(server: "b", isCurrent: false, lag: 12)
            facts.streams[1].copies[0] = .init(server: "c", isOffline: true, isCurrent: false)
        }
        let behind = late.filter { $0.check == "behind" }
        #expect(behind.map(\.found) == ["b, with 1 stream, by up to 12", "c is away, with copies of 1 stream"])
        #expect(behind.allSatisfy { $0.level == .warn })
    }

    @Test(arguments: [(0.5, nil), (-0.5, nil), (3, .warn), (-3, .warn), (600, .fail)] as [(Double, Finding.Level?)])
    func `about the clock`(ahead: Double, level: Finding.Level?) {
        #expect(faults { $0.servers[1].clockAhead = ahead }["clock"] == level)
    }

    @Test func `about the round trip is what most take`() {
        #expect(
            faults { $0.roundTrips = [.milliseconds(20), .milliseconds(30), .milliseconds(1)] } == ["round trip": .warn]
        )
        #expect(faults { $0.roundTrips = [.seconds(1), .milliseconds(1), .milliseconds(1)] } == [:])
    }

    @Test(
        arguments: [
            (["apus.>", "$JS.API.>", "$JS.FC.>"], [], ["_INBOX.>", "apus.peers"], [], true),
            (["apus.>", "$JS.API.>"], [], ["_INBOX.>"], [], false),
            (["*.*.*", "*.*", "$JS.>"], [], [], [], true),
            ([], ["apus.registry.>"], [], [], false),
            ([], ["$JS.API.STREAM.PURGE.*"], [], [], false),
            ([], [], ["_INBOX.*"], [], false),
            ([], [], [], ["_INBOX.x.reader.*"], false),
            ([], ["other.>"], [], ["other"], true),
        ] as [([String], [String], [String], [String], Bool)]
    )
    func `about permissions`(
        publish: [String],
        notPublish: [String],
        subscribe: [String],
        notSubscribe: [String],
        isEnough: Bool
    ) {
        let found = faults { facts in
            facts.permissions?.publish = SubjectRights(allow: publish, deny: notPublish)
            facts.permissions?.subscribe = SubjectRights(allow: subscribe, deny: notSubscribe)
        }
        #expect(found == (isEnough ? [:] : ["permissions": .fail]))
    }

    @Test func `says so without a client of NATS`() {
        #expect(NATSChecks.withoutClient.level == .fail && NATSChecks.withoutClient.advice.contains("--traits NATS"))
    }
}
