import ApusCluster
import ApusProtocol
import ApusServer
import ArgumentParser
import Logging

#if NATS
import ApusNATS
#endif

extension ServerConfiguration {
    /// Connects to the cluster that the configuration names. If that cannot be, says what to set: exit code 78.
    ///
    /// - Returns: `nil` if it names none.
    func connectToCluster(_ loaded: LoadedConfiguration, logger: Logger) async throws -> ClusterConnection? {
        guard !cluster.urls.isEmpty else { return nil }
        func refuse(_ reason: String) -> ExitCode {
            StandardError.write("apus: nats: \(reason) (from \(loaded.sources["nats"] ?? "default"))\n")
            return .badConfiguration
        }
        guard storage.data.isEmpty else {
            throw refuse("A node keeps nothing of its own: set either --nats or --data.")
        }
        guard let names = ClusterNames(prefix: cluster.prefix) else {
            throw refuse("'\(cluster.prefix)' is no prefix; --nats-prefix takes 1 to 32 letters, digits, '-' or '_'.")
        }
        #if NATS
        do throws(NATSFailure) {
            let link = try await NATSLink.open(NATSSettings(cluster), names: names) { $0.log(logger) }
            var limits = ClusterLimits()
            // Headers count, too.
            let room = link.largestMessage - 8192
            limits.packBytes = min(max(room, limits.packBytes), 8 << 20)
            return ClusterConnection(
                names,
                durability: cluster.acceptsUnsynced ? .replicatedUnsynced : .replicated,
                link: link,
                limits: limits
            )
        } catch {
            throw refuse("\(error)")
        }
        #else
        throw refuse("This program has no client of NATS; build it with --traits NATS, or use dev/serve --nats.")
        #endif
    }
}

#if NATS
extension NATSSettings {
    init(_ cluster: ServerConfiguration.Cluster) {
        self.init(urls: cluster.urls)
        credentials = cluster.credentials.isEmpty ? nil : cluster.credentials
        authorities = cluster.authorities.isEmpty ? nil : cluster.authorities
        prefix = cluster.prefix
        replicas = cluster.replicas
        syncing = cluster.acceptsUnsynced ? .unsafe : cluster.isSynced ? .vouched : .checked
    }
}

extension NATSEvent {
    fileprivate func log(_ logger: Logger) {
        switch self {
        case .connected(let server): logger.notice("NATS: connected", metadata: ["server": "\(server.url)"])
        case .disconnected(let reason): logger.warning("NATS: disconnected", metadata: ["reason": "\(reason)"])
        case .leaving(let server): logger.notice("NATS: the server will stop", metadata: ["server": "\(server)"])
        case .complaint(let text): logger.warning("NATS: the server complains", metadata: ["reason": "\(text)"])
        case .unreachable(let failure): logger.warning("NATS: no server", metadata: ["reason": "\(failure)"])
        case .unsynced(let server):
            logger.error(
                "NATS: a server acknowledges before it has written to its disk: set sync_interval: always there",
                metadata: ["server": "\(server)"]
            )
        case .synced(let server):
            logger.notice("NATS: the server writes before it acknowledges again", metadata: ["server": "\(server)"])
        case .closed: break
        }
    }
}
#endif
