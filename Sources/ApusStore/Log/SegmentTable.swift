/// Which records there are, which of them are still wanted, and so which segments are.
///
/// A value for one thread, which tells it all that is appended and all that is not wanted any more. What a call costs
/// depends on what it changes, not on what there is.
///
/// A segment goes in four steps, in this order. After a crash in between, the rest is done at the next start.
/// 1. What of it is wanted (``wanted(of:)``) is appended again. Of records that overlap, the one that was written last
///    counts, so that nothing is wrong if it is there twice.
/// 2. All is synced: not only what was moved, also what the rest is not wanted any more for.
/// 3. The catalog learns that it is given up, and where the topics in ``emptied(by:)`` go on.
/// 4. Its files are removed.
package struct SegmentTable: Sendable {
    /// A segment of which less than one part in so many is wanted is thin.
    package static let thinShare = 4

    struct Segment: Sendable, Hashable {
        /// The bytes of the file, and of the records in it that are wanted.
        var (size, wanted) = (SegmentHead.size, 0)
        /// Whether it gets no more records.
        var isSealed = false
        /// Topics of which nothing is wanted and whose last record is here.
        var emptied: Set<UInt32> = []

        var isUnwanted: Bool { isSealed && wanted == 0 }
        var isThin: Bool { isSealed && wanted > 0 && wanted < size / SegmentTable.thinShare }
    }

    private(set) var segments: [UInt64: Segment] = [:]
    private var topics: [UInt32: TopicRecords] = [:]
    /// Segments that can be given up now.
    package private(set) var unwanted: Set<UInt64> = []
    /// Segments that take much more room than what is wanted of them.
    package private(set) var thin: Set<UInt64> = []
    /// The size of all segments' records, wanted or not.
    package private(set) var size = 0
    /// How many segments have records.
    package var count: Int { segments.count }
    /// The size of the records that are wanted.
    package private(set) var wantedSize = 0

    /// The segment that records are appended to; those before it get no more.
    private var newest: UInt64 = 0

    private let exactness: Int

    /// - Parameter exactness: of each topic's history, small records are joined up to one part in so many.
    package init(exactness: Int = TopicRecords.exactness) { self.exactness = exactness }

    /// All that a log has, in segments that get no more records.
    package init(_ indexes: [SegmentIndex], exactness: Int = TopicRecords.exactness) {
        self.init(exactness: exactness)
        for index in indexes {
            let wanted = index.end - SegmentHead.size
            wantedSize += wanted
            change(index.segment.number) { ($0.isSealed, $0.size, $0.wanted) = (true, index.end, wanted) }
        }
        newest = indexes.last?.segment.number ?? 0
        let sorted = RecordsByTopic(indexes)
        for (topic, range) in sorted.ranges {
            var records = TopicRecords(exactness: exactness)
            unwant(records.take(sorted.records[range]))
            topics[topic] = records
        }
    }
}

// What there is.

extension SegmentTable {
    /// All topics that there were records of.
    package var topicNumbers: some Sequence<UInt32> { topics.keys }

    /// The records of a topic that are wanted, small ones joined, in the order of their offsets, which may have gaps.
    package func records(of topic: UInt32) -> ArraySlice<RecordPlace> { topics[topic]?.wanted ?? [] }

    /// The record that has an offset; else the first one after it.
    package func record(of topic: UInt32, from offset: UInt64) -> RecordPlace? {
        guard let records = topics[topic], let index = records.index(endingAfter: offset) else { return nil }
        return records.wanted[index]
    }

    /// The record that has an offset, or else the first one after it, and those that follow it without a gap: as many
    /// as `bytes` are, at least one.
    package func records(of topic: UInt32, from offset: UInt64, bytes: Int) -> [RecordPlace] {
        guard let records = topics[topic], let index = records.index(endingAfter: offset) else { return [] }
        var (found, size) = ([RecordPlace](), 0)
        for record in records.wanted[index...] {
            size += record.size
            guard let last = found.last else {
                found.append(record)
                continue
            }
            guard size <= bytes, record.first == last.end else { break }
            found.append(record)
        }
        return found
    }

    /// The first record of a topic with a stamp since a time. Where stamps do not rise, as a clock was set back, it may
    /// be a later one.
    package func record(of topic: UInt32, since time: Int64) -> RecordPlace? {
        guard let records = topics[topic]?.wanted else { return nil }
        var (low, high) = (records.startIndex, records.endIndex)
        while low < high {
            let middle = (low + high) / 2
            if records[middle].newestTime < time { low = middle + 1 } else { high = middle }
        }
        return low < records.endIndex ? records[low] : nil
    }

    /// The oldest offset of a topic that is wanted, and the oldest that is history; `nil` if nothing is wanted.
    package func firsts(of topic: UInt32) -> (first: UInt64, history: UInt64)? {
        guard let records = topics[topic], let first = records.first else { return nil }
        return (first, max(first, records.firstOfHistory))
    }

    /// What of a segment is wanted, in the order in which it was written.
    ///
    /// - Parameter bytes: about how much; what is joined is not parted.
    package func wanted(of index: SegmentIndex, upTo bytes: Int = .max) -> [SegmentIndex.Entry] {
        var (found, size, last) = ([SegmentIndex.Entry](), 0, RecordPlace?.none)
        for entry in index.entries {
            guard let record = record(of: entry.topic, from: entry.record.first), record.contains(entry.record)
            else { continue }
            if size >= bytes, record != last { break }
            found.append(entry)
            size += entry.record.size
            last = record
        }
        return found
    }

    /// The topics of which nothing is left when a segment goes, and the offset that each goes on with.
    package func emptied(by segment: UInt64) -> [UInt32: UInt64] {
        var ends: [UInt32: UInt64] = [:]
        for topic in segments[segment]?.emptied ?? [] { ends[topic] = topics[topic]?.next }
        return ends
    }
}

// What happens to it.

extension SegmentTable {
    /// A record was appended: a topic's next one, or one in place of others.
    package mutating func append(_ record: RecordPlace, of topic: UInt32) {
        if record.segment > newest {
            if newest > 0, segments[newest] != nil { change(newest) { $0.isSealed = true } }
            newest = record.segment
        }
        change(record.segment) { $0.size = max($0.size, record.place + record.sizeOnDisk) }
        let emptied = topics[topic].flatMap { $0.wanted.isEmpty ? $0.lastSegment : nil }
        if topics[topic, default: TopicRecords(exactness: exactness)].append(record) {
            want(record)
            if let emptied { change(emptied) { $0.emptied.remove(topic) } }
            // It may be one of a topic that keeps nothing.
            want(topic, from: 0)
        } else if let replaced = topics[topic]?.insert(record) {
            want(record)
            if let emptied { change(emptied) { $0.emptied.remove(topic) } }
            unwant(replaced)
        }
    }

    /// The newest segment gets no more records.
    package mutating func seal() {
        if segments[newest] != nil { change(newest) { $0.isSealed = true } }
    }

    /// Of a topic, only what is at an offset or after it is wanted from now on.
    package mutating func want(_ topic: UInt32, from offset: UInt64) {
        guard let unwanted = topics[topic]?.want(from: offset) else { return }
        unwant(unwanted)
        noteIfEmptied(topic)
    }

    /// Of a topic, only what a retention wants is wanted from now on.
    ///
    /// - Returns: ``firsts(of:)``.
    @discardableResult
    package mutating func retain(_ topic: UInt32, _ retention: Retention) -> (first: UInt64, history: UInt64)? {
        guard let unwanted = topics[topic]?.retain(retention) else { return nil }
        if !unwanted.isEmpty {
            unwant(unwanted)
            noteIfEmptied(topic)
        }
        return firsts(of: topic)
    }

    private mutating func noteIfEmptied(_ topic: UInt32) {
        if let records = topics[topic], records.wanted.isEmpty, let last = records.lastSegment {
            change(last) { $0.emptied.insert(topic) }
        }
    }

    /// Of a topic, only the last records that follow each other are wanted. A gap is where records were given up with
    /// their segment, so what is before it was not wanted then either.
    package mutating func wantWithoutGaps(_ topic: UInt32) {
        let records = records(of: topic)
        guard var start = records.indices.last else { return }
        while start > records.startIndex, records[start - 1].end == records[start].first { start -= 1 }
        want(topic, from: records[start].first)
    }

    /// A topic is gone.
    package mutating func remove(topic: UInt32) {
        guard let records = topics.removeValue(forKey: topic) else { return }
        unwant(records.wanted)
        if let last = records.lastSegment { change(last) { $0.emptied.remove(topic) } }
    }

    /// A segment was given up, of which nothing is wanted.
    package mutating func remove(segment: UInt64) {
        guard let gone = segments.removeValue(forKey: segment) else { return }
        precondition(gone.wanted == 0, "a segment was given up of which something is wanted")
        for topic in gone.emptied { topics[topic]?.lastSegment = nil }
        size -= gone.size
        unwanted.remove(segment)
        thin.remove(segment)
    }

    private mutating func want(_ record: RecordPlace) {
        wantedSize += record.sizeOnDisk
        change(record.segment) { $0.wanted += record.sizeOnDisk }
    }

    private mutating func unwant(_ records: some Sequence<RecordPlace>) {
        for record in records {
            wantedSize -= record.sizeOnDisk
            change(record.segment) { $0.wanted -= record.sizeOnDisk }
        }
    }

    private mutating func change(_ number: UInt64, _ body: (inout Segment) -> Void) {
        size -= segments[number]?.size ?? 0
        body(&segments[number, default: Segment()])
        guard let segment = segments[number] else { return }
        size += segment.size
        if segment.isUnwanted { unwanted.insert(number) } else { unwanted.remove(number) }
        if segment.isThin { thin.insert(number) } else { thin.remove(number) }
    }
}
