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
                tellDamage: { logger.error("messages cannot be read", metadata: ["reason": "\($0)"]) }
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
