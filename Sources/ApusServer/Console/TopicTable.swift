import ApusBroker
import ApusProtocol

/// What all topics counted at one moment, in the order of their names.
struct TopicTable: Sendable {
    struct Row: Sendable, Equatable {
        var messages: UInt64
        var publishedBytes: UInt64
        var subscribers: Int
        var keptBytes: Int
        /// Messages and bytes per second.
        var messageRate: Double
        var byteRate: Double
    }

    /// Which topics there are. As long as they are the same, so is this object.
    final class Directory: Sendable {
        /// In the order of their names' bytes.
        let topics: [Topic]
        let names: TopicNames
        /// As the broker told them.
        fileprivate let found: [Topic]

        fileprivate init(_ found: [Topic]) {
            self.found = found
            (topics, names) = TopicNames.sorted(found)
        }

        fileprivate func has(_ topics: [Topic]) -> Bool {
            found.count == topics.count && zip(found, topics).allSatisfy { $0 === $1 }
        }
    }

    /// How old the table before may be for rates, in nanoseconds.
    static let patience: Int64 = 15_000_000_000

    let directory: Directory
    let rows: [Row]
    /// In nanoseconds of a clock that nobody sets.
    let taken: Int64

    /// Looks at each topic once.
    ///
    /// - Parameters:
    ///   - subscribersElsewhere: those on other nodes of a cluster.
    ///   - before: an older table, for the rates. Without it, or if it is too old, they are averages of ten seconds.
    ///   - taken: the time, in nanoseconds of a clock that nobody sets.
    ///   - now: in milliseconds on the steady clock.
    init(
        _ topics: [Topic],
        subscribersElsewhere: [ExactText: Int] = [:],
        after before: TopicTable?,
        taken: Int64,
        now: Int64
    ) {
        let directory = before.flatMap { $0.directory.has(topics) ? $0.directory : nil } ?? Directory(topics)
        let recent = before.flatMap { taken - $0.taken <= Self.patience && taken > $0.taken ? $0 : nil }
        let seconds = recent.map { Double(taken - $0.taken) / 1e9 } ?? 1
        let earlier = recent.map { Self.rows(of: $0, by: directory) }
        rows = directory.topics.enumerated().map { index, topic in
            let figures = topic.figures
            var row = Row(
                messages: figures.messages,
                publishedBytes: figures.publishedBytes,
                subscribers: figures.subscribers + (subscribersElsewhere[ExactText(topic.name)] ?? 0),
                keptBytes: figures.keptBytes,
                messageRate: 0,
                byteRate: 0
            )
            guard let earlier else {
                (row.messageRate, row.byteRate) = topic.averageRates(now: now)
                return row
            }
            // A topic that was not there yet has got everything since.
            let old = earlier[index]
            row.messageRate = Double(figures.messages - min(old?.messages ?? 0, figures.messages)) / seconds
            let bytes = figures.publishedBytes - min(old?.publishedBytes ?? 0, figures.publishedBytes)
            row.byteRate = Double(bytes) / seconds
            return row
        }
        self.directory = directory
        self.taken = taken
    }

    /// The rows of an older table in the order of a directory.
    private static func rows(of table: TopicTable, by directory: Directory) -> [Row?] {
        guard table.directory !== directory else { return table.rows }
        let pairs = zip(table.directory.topics, table.rows).map { (ObjectIdentifier($0), $1) }
        let known = Dictionary(pairs) { first, _ in first }
        return directory.topics.map { known[ObjectIdentifier($0)] }
    }
}

/// The newest table, which all consoles share. There is one only while a console shows topics.
///
/// An actor, so that a table is made once for all, and not on an event loop.
actor TopicTables {
    /// In nanoseconds: a table that is younger serves the other consoles, too.
    private static let freshness: Int64 = 900_000_000

    private var viewers = 0
    private var newest: TopicTable?

    func enter() { viewers += 1 }

    func leave() {
        viewers -= 1
        // Deleted topics would live on in it.
        if viewers == 0 { newest = nil }
    }

    /// The table of this second, and how long a processor took to make it now, in nanoseconds.
    ///
    /// - Parameter cluster: has the subscribers on other nodes.
    func table(of broker: any Broker, _ cluster: ClusterView?) -> (table: TopicTable, cost: Int64) {
        let now = ServerClock.now.steady * 1_000_000
        if let newest, now - newest.taken < Self.freshness { return (newest, 0) }
        let start = ProcessorTime.ofThread
        let table = TopicTable(
            broker.topics,
            subscribersElsewhere: cluster?.others.counts ?? [:],
            after: newest,
            taken: now,
            now: now / 1_000_000
        )
        if viewers > 0 { newest = table }
        return (table, ProcessorTime.ofThread - start)
    }
}
