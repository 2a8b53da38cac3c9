#if NATS
import ApusProtocol
import Synchronization

/// Whether a node can work with these servers. All that it needs is checked before it takes a client.
package struct StartupCheck: Sendable {
    /// The oldest server that keeps what a node needs of it.
    package static let oldestVersion = (major: 2, minor: 11)

    private let connection: NATSConnection
    private let settings: NATSSettings

    package init(_ connection: NATSConnection) {
        self.connection = connection
        settings = connection.settings
    }

    /// Checks the servers, then makes the streams that are missing.
    ///
    /// - Parameter overseer: a connection that sees all servers' settings, if there is one besides the own.
    package func run(overseer: NATSConnection? = nil) async throws(NATSFailure) {
        _ = try await largestMessage(overseer: overseer)
    }

    /// Does the same.
    ///
    /// - Returns: the bytes of a message that all servers take, as far as they say.
    func largestMessage(overseer: NATSConnection? = nil) async throws(NATSFailure) -> Int {
        try checkSettings()
        let account = try await account()
        var reports = await connection.servers()
        if let overseer { reports += await overseer.servers() }
        try checkVersions(account, reports)
        try checkPayload(connection.server, reports)
        try checkSyncing(reports)
        try await connection.ensureStreams()
        let limits = reports.compactMap(\.maxPayload) + [connection.server?.maxPayload].compactMap { $0 }
        return limits.min() ?? settings.largestPack
    }

    func checkSettings() throws(NATSFailure) {
        let prefix = settings.prefix.utf8
        let isName = prefix.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
            default: false
            }
        }
        guard isName, (1...32).contains(prefix.count) else {
            throw NATSFailure(
                .badSettings,
                "'\(settings.prefix)' is no prefix; --nats-prefix takes 1 to 32 letters, digits, '-' or '_'."
            )
        }
    }

    /// JetStream has to answer, and to be enabled for the account.
    private func account() async throws(NATSFailure) -> AccountInfo {
        let end = ContinuousClock.now + NATSConnection.patience
        while true {
            do throws(JetStreamFailure) {
                return try await connection.accountInfo(timeout: .seconds(2))
            } catch {
                if let failure = Self.failure(of: error, complaint: connection.complaint) { throw failure }
                guard ContinuousClock.now < end else { throw Self.noAnswer(error) }
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
    }

    /// What JetStream's answer to the first question means, if waiting does not help.
    package static func failure(of error: JetStreamFailure, complaint: String?) -> NATSFailure? {
        let reasons = JetStreamRefusal.Reason.self
        switch error {
        case .refused(let refusal) where refusal.reason == reasons.notEnabledForAccount:
            return NATSFailure(
                .noJetStream,
                "JetStream is not enabled for the account of --nats; set `jetstream: enabled` in that account."
            )
        case .noResponders:
            return NATSFailure(
                .noJetStream,
                "The NATS server has no JetStream; set `jetstream { store_dir: … }` in its configuration."
            )
        case .refused(let refusal) where refusal.reason == reasons.notEnabled:
            return failure(of: .noResponders, complaint: nil)
        case .timedOut:
            guard let complaint, complaint.lowercased().contains("permissions violation") else { return nil }
            return NATSFailure(
                .noPermission,
                """
                The user of --nats lacks a permission (\(complaint)); allow it to publish to $JS.API.>, $JS.FC.>, \
                $SYS.REQ.> and the subjects of --nats-prefix, and to subscribe to _INBOX.>.
                """
            )
        default: return nil
        }
    }

    package static func noAnswer(_ error: JetStreamFailure) -> NATSFailure {
        NATSFailure(.noAnswer, "JetStream does not answer (\(error)); see that a majority of the NATS servers runs.")
    }

    func checkVersions(_ account: AccountInfo, _ reports: [ServerReport]) throws(NATSFailure) {
        for report in reports where !Self.isRecent(report.server.version) {
            throw NATSFailure(
                .tooOld,
                """
                The NATS server \(report.server.name) has version \(report.server.version); update it to \
                \(Self.oldestVersion.major).\(Self.oldestVersion.minor) or later.
                """
            )
        }
        guard account.api?.level ?? 0 >= 1 else {
            throw NATSFailure(
                .tooOld,
                """
                The NATS server that leads JetStream is too old; update it to \(Self.oldestVersion.major).\
                \(Self.oldestVersion.minor) or later.
                """
            )
        }
    }

    static func isRecent(_ version: String) -> Bool {
        let numbers = version.split(separator: ".").prefix(2).compactMap { Int($0) }
        guard numbers.count == 2 else { return false }
        return (numbers[0], numbers[1]) >= (oldestVersion.major, oldestVersion.minor)
    }

    func checkPayload(_ server: NATSServer?, _ reports: [ServerReport]) throws(NATSFailure) {
        let limits = reports.compactMap { report in report.maxPayload.map { (report.server.name, $0) } }
        let own = server.map { [("at \($0.url)", $0.maxPayload)] } ?? []
        guard let (name, limit) = (own + limits).first(where: { $0.1 < settings.largestPack }) else { return }
        throw NATSFailure(
            .payloadTooSmall,
            """
            The NATS server \(name) takes messages of \(limit) bytes, but Apus sends up to \(settings.largestPack); set \
            max_payload there to at least so much.
            """
        )
    }

    func checkSyncing(_ reports: [ServerReport]) throws(NATSFailure) {
        guard settings.syncing == .checked else { return }
        if let report = reports.first(where: { $0.syncsAlways == false }) {
            throw NATSFailure(
                .notSynced,
                """
                The NATS server \(report.server.name) acknowledges before it has written to its disk; set \
                `sync_interval: always` in its jetstream block, or --nats-unsafe-sync here.
                """
            )
        }
        // One that did not answer may be down, but not all.
        guard reports.contains(where: { $0.syncsAlways == true }) else {
            throw NATSFailure(
                .syncUnknown,
                """
                Whether the NATS servers write to the disk before they acknowledge cannot be seen from this account; export \
                the service $SYS.REQ.SERVER.PING.VARZ from the system account to it, or say --nats-sync-always if all \
                have `sync_interval: always`.
                """
            )
        }
    }
}
#endif
