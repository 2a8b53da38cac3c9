import ApusBroker
import ApusProtocol
import DequeModule

/// Where the packs of a topic are in its stream, so that what is not in memory can be read back.
///
/// ```
/// entries    1… @ 17      205… @ 52      411… @ 90        offset of the first message @ sequence of its pack
///            ├── grain ──┤├── grain ──┤
/// ```
/// An entry is for as many packs as make a grain, in bytes or in time; who looks for a message reads on from there.
/// With too many entries the grain doubles.
struct PackIndex {
    struct Entry {
        /// Of the first message of the first pack.
        let first: Offset
        /// Of that pack.
        let sequence: UInt64
        /// When that was published, and the newest one, in milliseconds since 1970.
        let begin: Int64
        var newest: Int64
        var bytes: Int
    }

    /// The bytes of packs that an entry is for, unless there are too many entries.
    static let grain = 64 << 10
    /// What history lets go of by age, it does so in so many steps.
    private static let stepsOfAge: Int64 = 32

    private let mostEntries: Int
    private var entries = Deque<Entry>()
    /// Of the newest pack.
    private var lastSequence: UInt64 = 0
    private var grain = PackIndex.grain
    /// The offset after the last message.
    private(set) var end: Offset = 1
    /// Of all packs that there is an entry for.
    private(set) var bytes = 0

    /// - Parameter mostEntries: at least 2.
    init(mostEntries: Int) {
        self.mostEntries = mostEntries
    }

    var count: Int { entries.count }

    /// The oldest message that there is an entry for; ``end`` if there is none.
    var first: Offset { entries.first?.first ?? end }

    /// Notes the next pack. If it does not follow on the last one, what was before it is gone. One that was noted
    /// changes nothing.
    ///
    /// - Parameters:
    ///   - time: of its newest message, in milliseconds since 1970.
    ///   - historyAge: how old history may get, in milliseconds.
    mutating func append(
        first: Offset,
        count: Int,
        sequence: UInt64,
        bytes: Int,
        time: Int64,
        historyAge: Int64?
    ) {
        guard sequence > lastSequence else { return }
        lastSequence = sequence
        if first != end { removeAll() }
        end = first + UInt64(count)
        self.bytes += bytes
        if let last = entries.last, last.bytes < grain,
            time - last.begin < historyAge.map({ max($0 / Self.stepsOfAge, 1) }) ?? .max
        {
            entries[entries.count - 1].bytes += bytes
            entries[entries.count - 1].newest = max(last.newest, time)
        } else {
            entries.append(Entry(first: first, sequence: sequence, begin: time, newest: time, bytes: bytes))
            if entries.count > mostEntries { thinOut() }
        }
    }

    /// Makes one entry of each two.
    private mutating func thinOut() {
        grain *= 2
        var kept = Deque<Entry>()
        for (index, entry) in entries.enumerated() {
            if let last = kept.last, !index.isMultiple(of: 2) {
                kept[kept.count - 1].bytes += entry.bytes
                kept[kept.count - 1].newest = max(last.newest, entry.newest)
            } else {
                kept.append(entry)
            }
        }
        entries = kept
    }

    /// The stream is read again.
    mutating func startOver() {
        removeAll()
        lastSequence = 0
    }

    private mutating func removeAll() {
        entries.removeAll()
        bytes = 0
    }

    /// What is before an offset cannot be read any more. The entry in which it lies stays.
    mutating func forget(before offset: Offset) {
        while entries.count > 1, entries[1].first <= offset { removeFirst() }
        if offset >= end { removeAll() }
    }

    private mutating func removeFirst() {
        bytes -= entries.removeFirst().bytes
    }

    /// Where to begin to look for a message; `nil` if there is no entry for it.
    func entry(of offset: Offset) -> Entry? {
        guard offset < end, let oldest = entries.first, oldest.first <= offset else { return nil }
        var (low, high) = (0, entries.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if entries[middle].first <= offset { low = middle } else { high = middle }
        }
        return entries[low]
    }

    /// The first message of the first entry with one since a time, in milliseconds since 1970; `nil` if there is none.
    func first(since time: Int64) -> Offset? {
        entries.first { $0.newest >= time }?.first
    }

    /// Lets go of what a topic does not want any more.
    ///
    /// - Parameter time: in milliseconds since 1970.
    /// - Returns: where history begins.
    mutating func trim(to want: JournalWant, time: Int64) -> Offset {
        var history = want.history
        var rest = bytes
        for entry in entries {
            let isTooOld = want.historyAge.map { entry.newest < time - $0 } ?? false
            let isTooMuch = want.historyBytes.map { rest - entry.bytes >= $0 } ?? false
            rest -= entry.bytes
            guard isTooOld || isTooMuch else {
                history = max(history, entry.first)
                break
            }
            history = max(history, rest > 0 ? entry.first + 1 : end)
        }
        forget(before: min(history, want.needed))
        // Beyond the bound, what only a subscription needs is given up.
        while bytes > want.neededBytes, entries.count > 1, entries[1].first <= history { removeFirst() }
        return history
    }
}
