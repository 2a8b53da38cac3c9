import ApusBroker
import ApusJournal
import ApusProtocol
import ApusStore
import Logging
import NIOCore

extension MemoryBroker {
    /// Makes the broker of a server, with the topics that its folder holds.
    ///
    /// - Throws: ``DataError``.
    static func make(
        _ configuration: ServerConfiguration,
        logger: Logger
    ) throws(DataError) -> (MemoryBroker, DiskJournal?) {
        let limits = configuration.brokerLimits
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

extension DiskJournal? {
    /// Waits until all is kept. A disk that does not answer does not keep the server from its end: nobody was told that
    /// what waits for it is kept.
    func endKeeping(within timeouts: ServerConfiguration.Timeouts, logger: Logger) async {
        guard let self, await !self.stop(within: timeouts.drain + timeouts.close) else { return }
        logger.error("the disk does not answer: what was not acknowledged may be lost")
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
