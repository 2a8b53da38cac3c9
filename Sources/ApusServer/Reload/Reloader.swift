import ApusAccess
import ApusBroker
import ApusProtocol
import Logging

/// Takes other configurations into a running server, one after another.
///
/// ```
/// request ──► load ──► compare ──► prepare every part ──► put every part in force ──► log
///               └──────────┴──────────────┴──► cannot be used: log, and nothing has changed
/// ```
/// Preparing reads files and may fail; to put in force what was prepared cannot. No part closes a connection unless its
/// client has lost the right to it.
struct Reloader: Sendable {
    /// Puts a part in force, and returns what the log says about it.
    typealias Commit = @Sendable () async -> Logger.Metadata
    /// Prepares a part for the next configuration.
    private typealias Part = @Sendable (ServerConfiguration) async throws(ConfigurationError) -> Commit

    let source: Reloading
    let engine: Engine
    let broker: any Broker
    let systemd: Systemd
    let logger: Logger

    /// All parts, in the order in which they come into force: who loses a right loses it first.
    private var parts: [Part] { [prepareAccess, prepareCertificates, prepareTopics, prepareSettings, prepareLogLevel] }

    private var contexts: LoopContexts { engine.contexts }

    /// Reloads for each request until the task is cancelled.
    func run() async {
        for await _ in source.requests { await reload() }
    }

    func reload() async {
        guard !contexts.isDraining.isSet else { return }
        systemd.tellReloading()
        // The service manager waits for this, whatever the result is.
        defer { systemd.tellReady(logger: logger) }
        do throws(ConfigurationError) {
            let loaded = try source.load()
            for warning in loaded.warnings { logger.warning("\(warning)") }
            try await take(loaded)
            engine.reloads.noteSuccess()
        } catch {
            engine.reloads.noteFailure()
            logger.error("configuration not reloaded, nothing changes", metadata: ["reason": "\(error)"])
        }
    }

    private func take(_ loaded: LoadedConfiguration) async throws(ConfigurationError) {
        guard !loaded.files.isEmpty else {
            return logger.notice("nothing to reload: all settings come from flags, the environment and defaults")
        }
        let change = try ConfigurationChange(from: contexts.settings, to: loaded)
        var commits: [Commit] = []
        do throws(ConfigurationError) {
            for prepare in parts { commits.append(try await prepare(change.next)) }
        } catch {
            throw error.naming(loaded.sources)
        }
        guard !contexts.isDraining.isSet else { return }
        var metadata: Logger.Metadata = ["files": "\(loaded.files.joined(separator: ", "))"]
        if !change.changed.isEmpty { metadata["changed"] = "\(change.changed.joined(separator: ", "))" }
        for commit in commits { metadata.merge(await commit()) { $1 } }
        for setting in change.postponed {
            logger.warning(
                "needs a restart",
                metadata: [
                    "setting": "\(setting.key)", "running": "\(setting.running)", "new": "\(setting.configured)",
                    "from": "\(setting.source)",
                ]
            )
        }
        logger.notice("configuration reloaded", metadata: metadata)
    }
}

// MARK: - The parts

extension Reloader {
    private func prepareAccess(_ next: ServerConfiguration) async throws(ConfigurationError) -> Commit {
        var warnings: [String] = []
        let policy = try await next.access.policy(replacing: contexts.access.policy) { warnings.append($0) }
        for warning in warnings { logger.warning("\(warning)") }
        return { [contexts] in
            let changes = contexts.access.replacePolicy(
                policy,
                grace: next.access.tokenGrace.wholeMilliseconds,
                revocationLifetime: next.access.revocationLifetime
            )
            let ids = policy.keys.keys.map(\.id)
            let counts = [
                ("new", ids.count { changes[$0] == nil }),
                ("narrowed", changes.values.count { $0 == .narrowed }),
                ("widened", changes.values.count { $0 == .widened }),
                ("gone", changes.values.count { $0 == .gone }),
            ].filter { $0.1 > 0 }
            guard !counts.isEmpty else { return [:] }
            return ["keys": "\(counts.map { "\($0.1) \($0.0)" }.joined(separator: ", "))"]
        }
    }

    private func prepareCertificates(_ next: ServerConfiguration) throws(ConfigurationError) -> Commit {
        let certificates: TLSInForce.Certificates?
        do throws(ConfigurationError) {
            certificates = try next.tls.load(afterReloadFrom: engine.tls)
        } catch {
            engine.tls?.noteFailure()
            throw error
        }
        return { [tls = engine.tls] in
            guard let tls, let certificates else { return [:] }
            tls.replace(with: certificates)
            return certificates.metadata
        }
    }

    private func prepareTopics(_ next: ServerConfiguration) throws(ConfigurationError) -> Commit {
        let declared = next.topics.declared
        let missing = declared.count { broker.topic(named: $0.name) == nil }
        let maxTopics = next.limits.maxTopics
        guard missing == 0 || missing + broker.topics.count <= maxTopics else {
            throw ConfigurationError(
                code: .conflict,
                setting: "topics.declare",
                value: "\(missing) new topics",
                source: nil,
                reason: "would be more than max_topics, which is \(maxTopics), with those that there are"
            )
        }
        return { [broker, logger] in
            do throws(BrokerError) {
                try await broker.declare(declared, logger: logger)
            } catch {
                // Clients have made topics in the meantime.
                logger.error("not all topics declared", metadata: ["reason": "\(error.message)"])
            }
            return [:]
        }
    }

    private func prepareSettings(_ next: ServerConfiguration) -> Commit {
        { [engine] in
            await engine.take(next)
            return [:]
        }
    }

    private func prepareLogLevel(_ next: ServerConfiguration) -> Commit {
        { [level = source.logLevel] in
            level?.value = next.log.level
            return [:]
        }
    }
}
