#if NATS
import Foundation
import Testing

@testable import ApusNATS

/// What a node says before it refuses to start. Each is one sentence with what to set.
@Suite struct StartupTests {
    private func expectSentence(
        _ failure: NATSFailure,
        _ reason: NATSFailure.Reason,
        _ parts: String...,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(failure.reason == reason, sourceLocation: sourceLocation)
        let text = failure.description
        for part in parts { #expect(text.contains(part), "\(text)", sourceLocation: sourceLocation) }
        #expect(text.hasSuffix(".") && !text.contains("\n"), "\(text)", sourceLocation: sourceLocation)
    }

    private func check(_ settings: NATSSettings) async throws -> NATSFailure {
        try await failure {
            try await withConnection(settings) { try await StartupCheck($0).run() }
        }
    }

    @Test func aServerThatIsNotThere() async throws {
        let port = try FreePorts.take(1)[0]
        let failure = try await check(NATSSettings(urls: ["nats://user:secret@127.0.0.1:\(port)"]))
        expectSentence(failure, .unreachable, "nats://127.0.0.1:\(port)", "cannot be reached", "--nats")
        #expect(!failure.description.contains("secret"))
    }

    @Test func noServerAtAll() async throws {
        expectSentence(try await check(NATSSettings(urls: [])), .badSettings, "--nats")
    }

    @Test func wrongCredentialsAndRightOnes() async throws {
        try await withServers(more: "authorization { user: apus, password: right }") { servers in
            let port = servers.nodes[0].port
            var settings = NATSSettings.single(servers)
            settings.urls = ["nats://apus:wrong@127.0.0.1:\(port)"]
            expectSentence(try await check(settings), .wrongCredentials, "refuses the credentials", "--nats-creds")
            settings.urls = ["nats://apus:right@127.0.0.1:\(port)"]
            try await withConnection(settings) { try await StartupCheck($0).run() }
        }
    }

    @Test func aFileOfCredentials() async throws {
        try await withServers(more: Credentials.configuration) { servers in
            var settings = NATSSettings.single(servers)
            expectSentence(try await check(settings), .wrongCredentials, "--nats-creds")
            for isRight in [false, true] {
                let file = try Credentials.file(isRight: isRight)
                defer { try? FileManager.default.removeItem(atPath: file) }
                settings.credentials = file
                if isRight {
                    try await withConnection(settings) { try await StartupCheck($0).run() }
                } else {
                    expectSentence(try await check(settings), .wrongCredentials, "--nats-creds")
                }
            }
        }
    }

    @Test func filesThatCannotBeRead() async throws {
        var settings = NATSSettings(urls: ["nats://127.0.0.1:1"])
        settings.credentials = "/nowhere/apus.creds"
        expectSentence(try await check(settings), .badSettings, "--nats-creds", "'/nowhere/apus.creds'")
        settings.credentials = nil
        settings.authorities = "/nowhere/ca.pem"
        expectSentence(try await check(settings), .badSettings, "--nats-ca", "'/nowhere/ca.pem'")
        settings.authorities = "/dev/null"
        expectSentence(try await check(settings), .badSettings, "--nats-ca", "no certificate")
    }

    @Test func jetStreamThatIsNotThere() async throws {
        try await withServers(jetStream: nil) { servers in
            expectSentence(try await check(.single(servers)), .noJetStream, "store_dir")
        }
    }

    @Test func jetStreamThatIsNotEnabledForTheAccount() async throws {
        let accounts = "accounts { A: { users: [{user: a, password: p}] }, B: { jetstream: enabled } }"
        try await withServers(more: accounts) { servers in
            var settings = NATSSettings.single(servers)
            settings.urls = ["nats://a:p@127.0.0.1:\(servers.nodes[0].port)"]
            expectSentence(try await check(settings), .noJetStream, "account", "jetstream: enabled")
        }
    }

    @Test func aPermissionThatIsMissing() async throws {
        let user = "authorization { users: [{user: a, password: p, permissions: {publish: [\"apus.>\"]}}] }"
        try await withServers(more: user) { servers in
            var settings = NATSSettings.single(servers)
            settings.urls = ["nats://a:p@127.0.0.1:\(servers.nodes[0].port)"]
            expectSentence(try await check(settings), .noPermission, "$JS.API.INFO", "_INBOX.>")
        }
    }

    @Test func aPayloadThatIsTooSmall() async throws {
        try await withServers(more: "max_payload: 64KB") { servers in
            expectSentence(try await check(.single(servers)), .payloadTooSmall, "65536", "532480", "max_payload")
        }
    }

    @Test func tooFewServersForSoManyCopies() async throws {
        try await withServers { servers in
            expectSentence(
                try await check(.cluster(servers)),
                .tooFewServers,
                "apus_0",
                "3 copies",
                "--nats-replicas 1"
            )
        }
    }

    @Test func aStreamWithOtherSettings() async throws {
        try await withServers { servers in
            try await withConnection(.single(servers)) { try await StartupCheck($0).run() }
            var other = NATSSettings.single(servers)
            other.packsPerTopic = 7
            let failure = try await check(other)
            expectSentence(failure, .foreignStream, "apus_0", "max_msgs_per_subject 100000", "needs 7", "--nats-prefix")
        }
    }

    @Test func aStreamOfSomebodyElseWithTheSameSubjects() async throws {
        try await withServers { servers in
            try await withConnection(.single(servers)) { connection in
                let foreign = StreamPlan(name: "ORDERS", subjects: "apus.>", messagesPerSubject: 1, replicas: 1)
                _ = try await connection.createStream(foreign)
                let failure = try await failure { try await StartupCheck(connection).run() }
                expectSentence(failure, .foreignStream, "apus_0", "--nats-prefix")
            }
        }
    }

    @Test func aPrefixThatIsNoName() async throws {
        try await withServers { servers in
            var settings = NATSSettings.single(servers)
            for prefix in ["", "a.b", "a b", "ä", String(repeating: "a", count: 33)] {
                settings.prefix = prefix
                expectSentence(try await check(settings), .badSettings, "--nats-prefix")
            }
        }
    }

    @Test func oldServers() throws {
        let connection = NATSConnection(NATSSettings(urls: []))
        defer { connection.add(.end {}) }
        let check = StartupCheck(connection)
        let recent = try account(#"{"streams": 0, "api": {"level": 1}}"#)
        for version in ["2.10.29", "2.9.0", "1.4.1", "", "dev"] {
            let report = report(version: version)
            let failure = #expect(throws: NATSFailure.self) { try check.checkVersions(recent, [report]) }
            expectSentence(try #require(failure), .tooOld, "n1", "2.11")
        }
        for version in ["2.11.0", "2.15.1", "3.0.0-beta.1"] {
            try check.checkVersions(recent, [report(version: version)])
        }
        let failure = #expect(throws: NATSFailure.self) {
            try check.checkVersions(account(#"{"streams": 0}"#), [])
        }
        expectSentence(try #require(failure), .tooOld, "leads JetStream", "2.11")
    }

    private func account(_ json: String) throws -> AccountInfo {
        try JSONDecoder().decode(AccountInfo.self, from: Data(json.utf8))
    }

    private func report(version: String) -> ServerReport {
        ServerReport(
            server: ServerReport.Server(name: "n1", id: "N", version: version),
            syncsAlways: nil,
            maxPayload: nil
        )
    }
}

/// Whether servers write to their disks before they acknowledge, which only the system's account can see.
@Suite struct SyncingTests {
    private static let accounts = """
        accounts {
          SYS: { users: [{user: sys, password: s}], exports: [
            {service: "$SYS.REQ.SERVER.PING.VARZ", response_type: stream, accounts: [APUS]} ] }
          APUS: { jetstream: enabled, users: [{user: apus, password: p}], imports: [
            {service: {account: SYS, subject: "$SYS.REQ.SERVER.PING.VARZ"}} ] }
        }
        system_account: SYS
        """

    private func settings(_ servers: NATSServers, _ user: String = "apus:p@") -> NATSSettings {
        var settings = NATSSettings(urls: ["nats://\(user)127.0.0.1:\(servers.nodes[0].port)"])
        settings.replicas = 1
        return settings
    }

    @Test func whoCannotSeeItHasToVouchForIt() async throws {
        try await withServers { servers in
            var settings = settings(servers, "")
            let failure = try await failure {
                try await withConnection(settings) { try await StartupCheck($0).run() }
            }
            #expect(failure.reason == .syncUnknown)
            #expect(failure.description.contains("--nats-sync-always"))
            for syncing in [NATSSettings.Syncing.vouched, .unsafe] {
                settings.syncing = syncing
                try await withConnection(settings) { try await StartupCheck($0).run() }
            }
        }
    }

    @Test func anAccountThatMaySeesIt() async throws {
        try await withServers(more: Self.accounts) { servers in
            try await withConnection(settings(servers)) { try await StartupCheck($0).run() }
        }
    }

    @Test func aServerThatDoesNotIsNamed() async throws {
        try await withServers(jetStream: "", more: Self.accounts) { servers in
            var settings = settings(servers)
            let failure = try await failure {
                try await withConnection(settings) { try await StartupCheck($0).run() }
            }
            #expect(failure.reason == .notSynced)
            #expect(failure.description.contains("n1") && failure.description.contains("sync_interval: always"))
            settings.syncing = .unsafe
            try await withConnection(settings) { try await StartupCheck($0).run() }
        }
    }

    @Test func aConnectionOfTheSystemsAccountSeesItForAnother() async throws {
        let accounts = """
            accounts { SYS: { users: [{user: sys, password: s}] }
              APUS: { jetstream: enabled, users: [{user: apus, password: p}] } }
            system_account: SYS
            """
        try await withServers(jetStream: "", more: accounts) { servers in
            try await withConnection(settings(servers)) { connection in
                try await withConnection(settings(servers, "sys:s@")) { overseer in
                    let failure = try await failure { try await StartupCheck(connection).run(overseer: overseer) }
                    #expect(failure.reason == .notSynced)
                }
            }
        }
    }
}
#endif
