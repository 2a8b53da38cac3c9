/// The records of a topic, as far as they are wanted.
///
/// Small records that follow each other are joined, so that what a topic takes in memory does not depend on how many
/// records it has: up to ``mostJoined`` bytes, and up to one part in ``exactness`` of the topic's history, as retention
/// keeps or gives up whole ones.
struct TopicRecords: Sendable {
    static let (mostJoined, exactness) = (64 << 10, 256)

    private var records: [RecordPlace] = []
    /// How many of the first ones are not wanted any more. They are taken out when they are half of all.
    private var dropped = 0
    /// The sizes of the wanted ones, together.
    private(set) var wantedSize = 0
    /// The first record that is history, and the sizes of it and those after it. It moves on with each retention.
    private var history = (index: 0, size: 0, retention: Retention?.none)
    /// What ends here or before is not wanted.
    private(set) var from: UInt64 = 0
    /// The offset after the last one there was.
    private(set) var end: UInt64 = 0
    /// What comes next has at least this offset. What is left of older records may end before what is wanted begins.
    var next: UInt64 { max(end, from) }
    /// The segment with the last record there was, as long as there is that segment.
    var lastSegment: UInt64?

    private let exactness: Int

    init(exactness: Int = Self.exactness) { self.exactness = exactness }

    /// Ascending, without overlaps.
    var wanted: ArraySlice<RecordPlace> { records[dropped...] }

    /// The oldest offset that is wanted; `nil` if nothing is. Of records that are joined, the first ones may not be.
    var first: UInt64? { wanted.first.map { max($0.first, from) } }

    /// The index of the first record that ends after an offset.
    func index(endingAfter offset: UInt64) -> Int? {
        var (low, high) = (dropped, records.count)
        while low < high {
            let middle = (low + high) / 2
            if records[middle].end <= offset { low = middle + 1 } else { high = middle }
        }
        return low < records.count ? low : nil
    }

    /// Adds the next record.
    ///
    /// - Returns: `false` if it is not the next one, and was not added.
    mutating func append(_ record: RecordPlace) -> Bool {
        guard record.first >= end else { return false }
        add(record)
        (end, lastSegment) = (record.end, record.segment)
        return true
    }

    private mutating func add(_ record: RecordPlace) {
        var added = record.size
        // What is history and what is not stay apart.
        if records.count > max(history.index, dropped), let last = records.last,
            let joined = last.joined(with: record, most: min(Self.mostJoined, history.size / exactness))
        {
            records[records.count - 1] = joined
            added = joined.size - last.size
        } else {
            records.append(record)
        }
        wantedSize += added
        history.size += added
    }

    /// Adds a record that has offsets from before the end. Returns those that it takes the place of; `nil` if it is
    /// not wanted.
    mutating func insert(_ record: RecordPlace) -> [RecordPlace]? {
        guard record.end > from else { return nil }
        let start = index(endingAfter: record.first) ?? records.count
        let stop = records[start...].firstIndex { $0.first >= record.end } ?? records.count
        let replaced = Array(records[start..<stop])
        records.replaceSubrange(start..<stop, with: [record])
        wantedSize += record.size - replaced.reduce(0) { $0 + $1.size }
        if start > dropped,
            let joined = records[start - 1].joined(with: record, most: min(Self.mostJoined, wantedSize / exactness))
        {
            wantedSize += joined.size - record.size - records[start - 1].size
            records.replaceSubrange(start - 1...start, with: [joined])
        }
        history.retention = nil
        if record.end >= end { (end, lastSegment) = (record.end, record.segment) }
        return replaced
    }

    /// Takes all that there are of a topic, in the order in which they were written. Returns those that others take the
    /// place of.
    mutating func take(_ written: ArraySlice<RecordPlace>) -> [RecordPlace] {
        if zip(written, written.dropFirst()).allSatisfy({ $0.end <= $1.first }) {
            for record in written { _ = append(record) }
            return []
        }
        func isLater(_ one: RecordPlace, _ other: RecordPlace) -> Bool {
            (one.segment, one.place) > (other.segment, other.place)
        }
        var (kept, replaced): ([RecordPlace], [RecordPlace]) = ([], [])
        for record in written.sorted(by: { $0.first == $1.first ? isLater($0, $1) : $0.first < $1.first }) {
            var isKept = true
            while isKept, let last = kept.last, last.end > record.first {
                isKept = isLater(record, last)
                if isKept { replaced.append(kept.removeLast()) }
            }
            if isKept { kept.append(record) } else { replaced.append(record) }
        }
        for record in kept { _ = append(record) }
        return replaced
    }

    /// Has what a retention does not want not be wanted. Returns what was.
    mutating func retain(_ retention: Retention) -> [RecordPlace] {
        findHistory(retention)
        var size = wantedSize
        var first = dropped
        while first < history.index, !retention.needs(records[first], sizeFromHere: size) {
            size -= records[first].size
            first += 1
        }
        return first == dropped ? [] : want(from: first < records.count ? records[first].first : next)
    }

    /// The offset of the first record that is history, as of the last retention.
    var firstOfHistory: UInt64 { history.index < records.count ? records[history.index].first : next }

    private mutating func findHistory(_ retention: Retention) {
        if history.index < dropped || retention.reachesFurther(than: history.retention) {
            (history.index, history.size) = (dropped, wantedSize)
        }
        history.retention = retention
        while history.index < records.count,
            !retention.isHistory(records[history.index], sizeFromHere: history.size)
        {
            history.size -= records[history.index].size
            history.index += 1
        }
    }

    /// Has what ends at an offset or before not be wanted. Returns what was.
    mutating func want(from offset: UInt64) -> [RecordPlace] {
        from = max(from, offset)
        let first = index(endingAfter: from) ?? records.count
        let unwanted = Array(records[dropped..<first])
        wantedSize -= unwanted.reduce(0) { $0 + $1.size }
        dropped = first
        if dropped > records.count / 2 {
            records.removeFirst(dropped)
            if history.index < dropped { history.retention = nil }
            history.index = max(history.index - dropped, 0)
            dropped = 0
        }
        return unwanted
    }
}

/// What of a topic is to be kept: all that is history, and of the rest what somebody needs, up to a bound.
package struct Retention: Sendable, Hashable {
    /// What ends at this offset or before is not history.
    package var history: UInt64
    /// Nor is what is older than this time, in milliseconds since 1970.
    package var oldest: Int64
    /// Nor is what has so many bytes after it.
    package var bytes: Int
    /// What ends at this offset or before is not needed.
    package var needed: UInt64
    /// Nor is what is more than so many bytes from the end.
    package var neededBytes: Int

    package init(
        history: UInt64,
        oldest: Int64 = .min,
        bytes: Int = .max,
        needed: UInt64 = .max,
        neededBytes: Int = .max
    ) {
        self.history = history
        self.oldest = oldest
        self.bytes = bytes
        self.needed = needed
        self.neededBytes = neededBytes
    }

    /// - Parameter sizeFromHere: of the record and all after it.
    func needs(_ record: RecordPlace, sizeFromHere size: Int) -> Bool {
        record.end > needed && size <= neededBytes
    }

    func isHistory(_ record: RecordPlace, sizeFromHere size: Int) -> Bool {
        record.end > history && record.newestTime >= oldest && size - record.size < bytes
    }

    /// Whether it makes more history than another, `nil` for none.
    func reachesFurther(than other: Retention?) -> Bool {
        guard let other else { return true }
        return history < other.history || oldest < other.oldest || bytes > other.bytes
    }
}
