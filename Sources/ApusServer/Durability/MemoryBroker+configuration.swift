import ApusBroker
package import ApusCluster
import ApusJournal
package import ApusProtocol
import ApusStore
import Logging
import NIOCore

extension MemoryBroker {
    /// Makes the broker of a server, with the topics that its folder holds, or that of a node.
    ///
    /// - Throws: ``DataError``.
    static func make(
        _ configuration: ServerConfiguration,
        cluster: ClusterConnection?,
        logger: Logger
    ) throws(DataError) -> (MemoryBroker, (any ServerJournal)?) {
        var limits = configuration.brokerLimits
        if let cluster {
            // A pack says a little of each batch besides.
            limits.commitBytes = cluster.limits.packBytes - 4096
            let journal = ClusterJournal(durability: cluster.durability) { ServerClock.now }
            let broker = MemoryBroker(limits: limits, journal: journal)
            journal.start(cluster.names, limits: cluster.limits, broker: broker, link: cluster.link)
            return (broker, journal)
        }
        guard !configuration.storage.data.isEmpty else { return (MemoryBroker(limits: limits), nil) }
        let now = ServerClock.now
        var progress = OpeningProgress(folder: configuration.storage.data, logger: logger)
        let opened: DiskJournal.Opened
        do throws(DataFolderError) {
            opened = try DiskJournal.open(
                configuration.storage.data,
                history: limits.history,
                dataBytes: configuration.storage.dataBytes,
                lead: now.wall - now.steady,
                progress: { progress.tell($0, of: $1) },
                tellDamage: { logger.error("messages cannot be read", metadata: ["reason": "\($0)"]) },
                tellFailure: { logger.error("messages cannot be kept", metadata: ["reason": "\($0.message)"]) }
            )
        } catch {
            throw DataError(error)
        }
        let broker = MemoryBroker(limits: limits, journal: opened.journal)
        broker.restore(opened.topics, lastNumber: opened.lastNumber, now: now)
        progress.end(topics: opened.topics.count)
        return (broker, opened.journal)
    }
}

/// What keeps messages until the server ends.
protocol ServerJournal: Journal {
    /// - Returns: whether it has ended, with all that was published to it.
    func stop(within patience: Duration) async -> Bool
}

extension DiskJournal: ServerJournal {}
extension ClusterJournal: ServerJournal {}

/// The connection of a server to the cluster that it is a node of.
public struct ClusterConnection: Sendable {
    let names: ClusterNames
    let durability: Durability
    let link: any JetStreamLink & PeerLink
    let limits: ClusterLimits

    /// - Parameter durability: what an ack of the cluster means.
    package init(
        _ names: ClusterNames,
        durability: Durability,
        link: any JetStreamLink & PeerLink,
        limits: ClusterLimits = ClusterLimits()
    ) {
        self.names = names
        self.durability = durability
        self.link = link
        self.limits = limits
    }
}

extension (any ServerJournal)? {
    /// Waits until all is kept. A disk that does not answer does not keep the server from its end: nobody was told that
    /// what waits for it is kept.
    func endKeeping(within timeouts: ServerConfiguration.Timeouts, logger: Logger) async {
        guard let self, await !self.stop(within: timeouts.drain + timeouts.close) else { return }
        logger.error("what was not acknowledged may be lost: it could not be kept in time")
    }
}

/// Says how far the opening of a folder is, if it takes longer than a second.
private struct OpeningProgress {
    private static let interval = TimeAmount.seconds(1)

    let folder: String
    let logger: Logger
    private let start = NIODeadline.now()
    private var next = NIODeadline.now() + interval

    init(folder: String, logger: Logger) {
        self.folder = folder
        self.logger = logger
    }

    mutating func tell(_ segments: Int, of all: Int) {
        let now = NIODeadline.now()
        guard now >= next else { return }
        next = now + Self.interval
        logger.notice("reading", metadata: ["data": "\(folder)", "segments": "\(segments)", "of": "\(all)"])
    }

    func end(topics: Int) {
        let milliseconds = (NIODeadline.now() - start).nanoseconds / 1_000_000
        logger.info("opened", metadata: ["data": "\(folder)", "topics": "\(topics)", "ms": "\(milliseconds)"])
    }
}
