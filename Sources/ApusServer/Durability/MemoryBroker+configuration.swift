import ApusBroker
import ApusJournal
import ApusProtocol
import ApusStore

extension MemoryBroker {
    /// Makes the broker of a server, with the topics that its folder holds.
    ///
    /// - Throws: ``DataError``.
    static func make(_ configuration: ServerConfiguration) throws(DataError) -> (MemoryBroker, DiskJournal?) {
        let limits = configuration.brokerLimits
        guard !configuration.storage.data.isEmpty else { return (MemoryBroker(limits: limits), nil) }
        let now = ServerClock.now
        let opened: DiskJournal.Opened
        do throws(DataFolderError) {
            opened = try DiskJournal.open(
                configuration.storage.data,
                reach: DiskJournal.Reach(history: limits.history, topicBytes: limits.topicBytes),
                dataBytes: configuration.storage.dataBytes,
                lead: now.wall - now.steady
            )
        } catch {
            throw DataError(error)
        }
        let broker = MemoryBroker(limits: limits, journal: opened.journal)
        broker.restore(opened.topics, lastNumber: opened.lastNumber, now: now)
        return (broker, opened.journal)
    }
}
