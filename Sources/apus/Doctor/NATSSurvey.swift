#if NATS
import ApusNATS
import ApusProtocol
import Foundation

/// Asks NATS servers for what ``NATSChecks`` judges. It makes, changes and sends nothing.
struct NATSSurvey {
    /// How long an answer may take.
    private static let patience = Duration.seconds(2)
    private static let roundTrips = 20

    let settings: NATSSettings

    func facts() async -> NATSFacts {
        var facts = NATSFacts()
        var servers: [String: NATSFacts.Server] = [:]
        for url in settings.urls.prefix(NATSSettings.Limit.servers) {
            facts.addresses.append(.init(url: Self.hidingUser(url), failure: await look(at: url, &servers)))
        }
        facts.servers = servers.values.sorted { $0.name < $1.name }
        guard facts.addresses.contains(where: { $0.failure == nil }) else { return facts }
        let connection = NATSConnection(settings)
        do throws(NATSFailure) {
            try await connection.connect()
            await ask(connection, &facts)
        } catch {
            // It was there a moment ago.
            facts.jetStreamFailure = "\(error)"
        }
        await connection.close()
        return facts
    }

    /// Why a server takes no connection. Of one that does, what it knows of itself and others is added.
    private func look(at url: String, _ servers: inout [String: NATSFacts.Server]) async -> String? {
        var alone = settings
        alone.urls = [url]
        let connection = NATSConnection(alone)
        var failure: String?
        do throws(NATSFailure) {
            try await connection.connect()
            let asked = Date().timeIntervalSince1970
            for report in await connection.servers() { servers[report.server.id] = Self.server(report, asked: asked) }
        } catch {
            failure = "\(error)"
        }
        await connection.close()
        return failure
    }

    private static func hidingUser(_ url: String) -> String {
        guard let at = url.lastIndex(of: "@") else { return url }
        let start = url.firstRange(of: "://")?.upperBound ?? url.startIndex
        return String(url[..<start] + url[url.index(after: at)...])
    }

    private func ask(_ connection: NATSConnection, _ facts: inout NATSFacts) async {
        facts.maxPayload = connection.server?.maxPayload
        await account(connection, &facts)
        if let user = await connection.user(timeout: Self.patience)?.data {
            facts.permissions = .init(
                user: user.user ?? "",
                publish: user.permissions?.publish.map(Self.rights),
                subscribe: user.permissions?.subscribe.map(Self.rights)
            )
            for _ in 0..<Self.roundTrips {
                guard let time = await connection.roundTrip(timeout: Self.patience) else { break }
                facts.roundTrips.append(time)
            }
        }
        guard facts.jetStreamFailure == nil else { return }
        for plan in StreamPlan.all(settings) { facts.streams.append(await stream(plan, connection)) }
    }

    /// JetStream answers, or says why not.
    private func account(_ connection: NATSConnection, _ facts: inout NATSFacts) async {
        for attempt in 1...3 {
            do throws(JetStreamFailure) {
                facts.account = Self.account(
                    try await connection.accountInfo(timeout: Self.patience),
                    copies: settings.replicas
                )
                return
            } catch {
                let known = StartupCheck.failure(of: error, complaint: connection.complaint)
                guard attempt == 3 || known != nil else { continue }
                facts.jetStreamFailure = "\(known ?? StartupCheck.noAnswer(error))"
                return
            }
        }
    }

    private func stream(_ plan: StreamPlan, _ connection: NATSConnection) async -> NATSFacts.Stream {
        var stream = NATSFacts.Stream(name: plan.name)
        do throws(JetStreamFailure) {
            guard let report = try await connection.report(on: plan, timeout: Self.patience) else {
                stream.isThere = false
                return stream
            }
            stream.difference = report.difference
            stream.leader = report.cluster?.leader
            let copies = report.cluster?.replicas ?? []
            stream.isClustered = !copies.isEmpty
            stream.copies = copies.map { copy in
                .init(
                    server: copy.name,
                    isOffline: copy.offline ?? false,
                    isCurrent: copy.current,
                    lag: copy.lag ?? 0
                )
            }
        } catch {
            stream.failure = "\(error)"
        }
        return stream
    }

    // MARK: What the servers say

    private static func server(_ report: ServerReport, asked: Double) -> NATSFacts.Server {
        let clock = report.server.time.flatMap { Timestamp.milliseconds(rfc3339: $0) }
        return NATSFacts.Server(
            name: report.server.name,
            version: report.server.version,
            hasJetStream: report.server.hasJetStream ?? false,
            syncsAlways: report.syncsAlways,
            maxPayload: report.maxPayload,
            clockAhead: clock.map { Double($0) / 1000 - asked }
        )
    }

    private static func rights(_ subjects: UserReport.Subjects) -> SubjectRights {
        SubjectRights(allow: subjects.allow ?? [], deny: subjects.deny ?? [])
    }

    private static func account(_ info: AccountInfo, copies: Int) -> NATSFacts.Account {
        let tier = info.tiers?["R\(copies)"]
        let limits = tier?.limits ?? info.limits
        return NATSFacts.Account(
            streams: tier?.streams ?? info.streams,
            mostStreams: limits?.streams ?? -1,
            storage: tier?.storage ?? info.storage ?? 0,
            mostStorage: limits?.storage ?? -1,
            consumers: tier?.consumers ?? info.consumers ?? 0,
            mostConsumers: limits?.consumers ?? -1,
            needsMaxBytes: limits?.needsMaxBytes ?? false,
            level: info.api?.level ?? 0
        )
    }
}
#endif
